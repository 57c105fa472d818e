"""Ten kinds of classifier as people have them, small, each trained for some seconds on a given task."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn

from deepsight.core.dataset import Dataset
from deepsight.model.foreign.input_format import InputFormat

SIDE, K = 32, 4
FORMAT = InputFormat(SIDE, SIDE, scale="-1..1")


class FlatNet(nn.Module):
    """Convolutions, then three dense layers on the flattened map."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 3, 2, 1), nn.ReLU(), nn.Conv2d(12, 24, 3, 2, 1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(24 * 64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, K)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class PooledNet(nn.Module):
    """Convolutions, average pooling, one linear layer: what the files hold."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 16, 3, 2), nn.Conv2d(16, 32, 3)
        self.head = nn.Linear(32, K)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.second(self.first(images).relu()).relu()
        return self.head(maps.mean(dim=(2, 3)))


def narrow_vgg16() -> nn.Module:
    """VGG16 with batch norm, an eighth as wide."""
    cfg = [8, 8, "M", 16, 16, "M", 32, 32, 32, "M", 64, 64, 64, "M", 64, 64, 64, "M"]
    return timm.models.vgg.VGG(cfg, num_classes=K, mlp_ratio=1 / 64, norm_layer=nn.BatchNorm2d)


def of_timm(name: str, **size: object) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, num_classes=K, **size)


VIT = {"img_size": SIDE, "patch_size": 4, "embed_dim": 48, "depth": 2, "num_heads": 3}
MODULES: dict[str, Callable[[], nn.Module]] = {
    "flat": FlatNet,
    "resnet18": of_timm("resnet18", channels=(16, 32, 48, 64)),
    "vgg16_bn": narrow_vgg16,
    "convnext_nano": of_timm("convnext_nano", depths=(1, 1, 1, 1), dims=(24, 32, 48, 64), ls_init_value=0.1),
    "vit_tiny": of_timm("vit_tiny_patch16_224", **VIT),
    "swin_tiny": of_timm(
        "swin_tiny_patch4_window7_224", img_size=SIDE, window_size=4, embed_dim=24, depths=(1, 1),
        num_heads=(2, 4),
    ),
    "deit": of_timm("deit_tiny_distilled_patch16_224", **VIT),
    "pooled": PooledNet,
}  # fmt: skip
FILES = ("onnx", "keras", "torchscript")  # of the pooled network
NAMES = (*(name for name in MODULES if name != "pooled"), *FILES)


def trained(name: str, data: Dataset, *, steps: int = 60, batch: int = 64, rate: float = 3e-3) -> nn.Module:
    """The model after so many steps of Adam on random batches."""
    torch.manual_seed(0)
    module = MODULES[name]().train()
    inputs, labels = FORMAT(data.pixels()), torch.from_numpy(data.labels)
    optimiser = torch.optim.AdamW(module.parameters(), lr=rate)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(labels), (batch,))
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(inputs[rows]), labels[rows]).backward()
        optimiser.step()
        plan.step()
    return module.eval()


def written(module: PooledNet, kind: str, folder: Path) -> str:
    """A file that holds the pooled network, as `--model` names it."""
    file = folder / f"pooled.{kind}"
    example = torch.zeros(2, 3, SIDE, SIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript and the exporter on it are deprecated
        if kind == "torchscript":
            torch.jit.save(torch.jit.trace(module, example), file)
        elif kind == "onnx":
            torch.onnx.export(
                module, (example,), file, dynamo=False, input_names=["images"],
                dynamic_axes={"images": {0: "batch"}},
            )  # fmt: skip
        else:
            keras_copy(module).save(file)
    return f"{kind}:{file}"


def keras_copy(module: PooledNet) -> object:
    """The same network in Keras, which scales raw pixels itself."""
    from deepsight.model.foreign.keras_model import keras_on_torch

    keras = keras_on_torch()
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 127.5, -1),
        layers.Conv2D(16, 3, 2, activation="relu"), layers.Conv2D(32, 3, activation="relu"),
        layers.GlobalAveragePooling2D(), layers.Dense(K),
    ])  # fmt: skip
    kernels = [np.transpose(c.weight.detach().numpy(), (2, 3, 1, 0)) for c in (module.first, module.second)]
    biases = [c.bias.detach().numpy() for c in (module.first, module.second)]
    dense = [module.head.weight.detach().numpy().T, module.head.bias.detach().numpy()]
    model.set_weights([kernels[0], biases[0], kernels[1], biases[1], *dense])
    return model
