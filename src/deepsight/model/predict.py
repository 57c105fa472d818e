"""A trained model applied to images: logits, pooled features and the maps before the pooling."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.model.backbone import Classifier
from deepsight.model.preprocess import Preprocessing
from deepsight.model.trunk import CHUNK, Verify

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Predictor:
    """A folded classifier with its preprocessing; every batch is verified before it is used.

    Attributes:
        classifier: on any device, in evaluation mode.
        preprocessing: what the classifier was trained with.
        verify: called with the batch, its labels or None, and its name.
    """

    classifier: Classifier
    preprocessing: Preprocessing
    verify: Verify

    def __post_init__(self) -> None:
        self.classifier.eval()

    @property
    def weight(self) -> NDArray[np.float32]:
        """The head's weight (k, d)."""
        return np.asarray(self.classifier.head.weight.detach().cpu().numpy())

    @property
    def bias(self) -> NDArray[np.float32]:
        """The head's bias (k,)."""
        return np.asarray(self.classifier.head.bias.detach().cpu().numpy())

    def maps(self, pixels: Pixels, *, name: str = "images") -> NDArray[np.float32]:
        """The last maps (n, d, h, w), whose mean over positions the head sees."""
        return np.concatenate([maps.cpu().numpy() for maps in self._map_batches(pixels, name)])

    def features(self, pixels: Pixels, *, name: str = "images") -> NDArray[np.float32]:
        """The pooled features (n, d)."""
        return np.concatenate([maps.mean((2, 3)).cpu().numpy() for maps in self._map_batches(pixels, name)])

    def logits(self, pixels: Pixels, *, name: str = "images") -> NDArray[np.float32]:
        """The logits (n, k)."""
        return self.features(pixels, name=name) @ self.weight.T + self.bias

    def sides(self) -> dict[str, int]:
        """Cells along one side of the map after each stage, by the real input shape, shallow to deep."""
        side = self.preprocessing.resolution
        return self.classifier.sides(side)

    def stage_maps(self, stage: str, pixels: Pixels, *, name: str = "images") -> Tensor:
        """The maps (n, c, h, w) after a stage."""
        with torch.no_grad():
            return torch.cat([self.classifier.run_to(stage, x) for x in self._batches(pixels, name)])

    def from_stage(self, stage: str) -> Callable[[Tensor], Tensor]:
        """The rest of the network after a stage: its maps to logits, with gradients."""
        return lambda maps: self.classifier.run_from(stage, maps)

    def predictions(self, data: Dataset, *, name: str) -> Predictions:
        """What the model says about a split, block by block, so that the split may be larger than memory."""
        blocks = [slice(i, min(i + 4096, len(data))) for i in range(0, len(data), 4096)]
        features = np.concatenate([self.features(data.pixels(rows), name=name) for rows in blocks])
        logits = features @ self.weight.T + self.bias
        return Predictions(data.ids, data.labels, logits, features)

    def _map_batches(self, pixels: Pixels, name: str) -> Iterator[Tensor]:
        with torch.inference_mode():
            for images in self._batches(pixels, name):
                yield self.classifier.forward_features(images)

    def _batches(self, pixels: Pixels, name: str) -> Iterator[Tensor]:
        device = self.classifier.head.weight.device
        for start in range(0, len(pixels), CHUNK):
            images = self.preprocessing(pixels[start : start + CHUNK])
            self.verify(images, None, f"{name}, image {start}")
            yield images.to(device, non_blocking=True)
