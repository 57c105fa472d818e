"""A trained model applied to images: logits, pooled features and the maps before the pooling."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from deepsight.core.array_types import Floats32, Pixels, Reals
from deepsight.core.blocks import blocks_of
from deepsight.core.dataset import Dataset
from deepsight.core.files.scratch import scratch_rows
from deepsight.core.predictions import Predictions
from deepsight.model.backbone import Classifier
from deepsight.model.engine import ForwardEngine, active_settings
from deepsight.model.engine.graphs import FeaturesAndMaps, StageMapsGraph
from deepsight.model.engine.torch_backend import Outputs
from deepsight.model.preprocess import Preprocessing

BLOCK = 4096  # images in memory at a time


@dataclass(frozen=True)
class Predictor:
    """A fused classifier with its preprocessing; every batch is verified before it is used.

    Forward passes go through inference engines, one for each requested stage.

    Attributes:
        classifier: on any device, in evaluation mode.
        preprocessing: that the classifier was trained with.
        tiles: along each side of a mosaic; 1 for a plain image. Every tile is resized and verified like a
            separate image, so that the network sees it at the same size.
    """

    classifier: Classifier
    preprocessing: Preprocessing
    tiles: int = 1
    _engines: dict[str, ForwardEngine] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.classifier.eval()

    @property
    def weight(self) -> Floats32:
        """The head's weight (k, d)."""
        return np.asarray(self.classifier.head.weight.detach().cpu().numpy())

    @property
    def bias(self) -> Floats32:
        """The head's bias (k,)."""
        return np.asarray(self.classifier.head.bias.detach().cpu().numpy())

    def map_batches(self, pixels: Pixels, *, name: str = "images") -> Iterator[Tensor]:
        """The last maps, whose mean over positions the head sees, batch by batch (b, d, h, w)."""
        for _, maps in self._features_and_maps(pixels, name):
            yield maps

    def features(self, pixels: Pixels, *, name: str = "images") -> Floats32:
        """The pooled features (n, d)."""
        return np.concatenate([found.cpu().numpy() for found, _ in self._features_and_maps(pixels, name)])

    def logits(self, pixels: Pixels, *, name: str = "images") -> Floats32:
        """The logits (n, k)."""
        return self.logits_of(self.features(pixels, name=name))

    def logits_of(self, features: Reals) -> Floats32:
        """The logits (n, k) of pooled features (n, d)."""
        return np.asarray(features @ self.weight.T + self.bias)

    def sides(self) -> dict[str, int]:
        """Cells along one side of the map after each stage at the actual input size, shallow to deep."""
        return self.classifier.sides(self.tiles * self.preprocessing.resolution)

    def of_mosaics(self, tiles: int) -> "Predictor":
        """The same network for mosaics of tiles × tiles images: being convolutional, it takes any size."""
        return replace(self, tiles=tiles)

    def stage_maps(self, stage: str, pixels: Pixels, *, name: str = "images") -> Tensor:
        """The maps (n, c, h, w) after a stage."""
        engine = self._engine(stage, lambda: StageMapsGraph(self.classifier.stages_to(stage)))
        return torch.cat([maps for (maps,) in engine.run(self._batches(pixels, name), len(pixels))])

    def from_stage(self, stage: str) -> nn.Sequential:
        """The network after a stage, part by part: from the stage's maps to logits, with gradients."""
        return self.classifier.after(stage)

    def predictions(self, data: Dataset, *, name: str) -> Predictions:
        """The predictions for a split, block by block, so that the split may be larger than memory."""
        features = self.features_of(data, name=name)
        return Predictions(data.ids, data.labels, self.logits_of(features), features)

    def features_of(self, data: Dataset, *, name: str) -> Floats32:
        """The pooled features (n, d) of a split, block by block."""
        blocks = blocks_of(len(data), BLOCK)
        return scratch_rows((self.features(data.pixels(rows), name=name) for rows in blocks), len(data))

    def _features_and_maps(self, pixels: Pixels, name: str) -> Iterator[Outputs]:
        engine = self._engine("", lambda: FeaturesAndMaps(self.classifier.stages))
        return engine.run(self._batches(pixels, name), len(pixels))

    def _engine(self, key: str, graph: Callable[[], nn.Module]) -> ForwardEngine:
        if key not in self._engines:
            self._engines[key] = ForwardEngine(graph())
        return self._engines[key]

    def _batches(self, pixels: Pixels, name: str) -> Iterator[Tensor]:
        size = active_settings().images_per_batch(self.tiles * self.preprocessing.resolution)
        for start in range(0, len(pixels), size):
            tiles = split_tiles(pixels[start : start + size], self.tiles)
            yield join_tiles(self.preprocessing.batch(tiles, f"{name}, image {start}"), self.tiles)


def split_tiles(mosaics: Pixels, tiles: int) -> Pixels:
    """The tiles (b tiles², h, w, 3) of mosaics (b, tiles h, tiles w, 3), row by row."""
    b, height, width, _ = mosaics.shape
    h, w = height // tiles, width // tiles
    grid = mosaics.reshape(b, tiles, h, tiles, w, 3).transpose(0, 1, 3, 2, 4, 5)
    return grid.reshape(b * tiles**2, h, w, 3)


def join_tiles(images: Tensor, tiles: int) -> Tensor:
    """Mosaics (b, 3, tiles h, tiles w) of images (b tiles², 3, h, w), row by row; channels last."""
    if tiles == 1:
        return images
    n, c, h, w = images.shape
    grid = images.reshape(n // tiles**2, tiles, tiles, c, h, w).permute(0, 3, 1, 4, 2, 5)
    joined = grid.reshape(n // tiles**2, c, tiles * h, tiles * w)
    return joined.contiguous(memory_format=torch.channels_last)
