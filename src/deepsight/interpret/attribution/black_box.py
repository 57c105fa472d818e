"""Maps of a black-box model, of which only outputs are known: occlusion and random masks (RISE)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.open_model import AskedModel
from deepsight.core.predictions import softmax
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.cam import GOOD_SIDE, Layer

CELLS = 7  # along one side; each is covered once by occlusion
MASKS = 128  # of RISE, for each image
GREY = 128  # what covers a part of the image


@dataclass(frozen=True)
class Occlusion:
    """How much a class's log-probability falls when a cell is covered with grey (Zeiler and Fergus 2014).

    Attributes:
        model: the model.
        cells: along one side.
    """

    model: AskedModel
    cells: int = CELLS

    method = "occlusion"
    depths: tuple[str, ...] = ()

    @property
    def layer(self) -> Layer:
        """The image itself, in cells."""
        return image_layer(self.cells)

    def maps(self, images: Pixels, classes: Ints) -> Floats32:
        """Maps (n, c, cells, cells), in units of log-probability."""
        before = log_probabilities(self.model, images, classes)
        found = np.empty((*classes.shape, self.cells, self.cells), dtype=np.float32)
        for row in range(self.cells):
            for column in range(self.cells):
                covered = images.copy()
                covered[
                    :, span(row, self.cells, images.shape[1]), span(column, self.cells, images.shape[2])
                ] = GREY
                found[:, :, row, column] = before - log_probabilities(self.model, covered, classes)
        return found

    def exact(self, images: Pixels) -> None:
        """It is not exact."""

    def randomised_maps(self, images: Pixels, classes: Ints, *, depth: str, seeds: Sequence[int]) -> Floats32:
        """There are no weights to change."""
        raise DeepSightError(
            f"Expected weights down to {depth}, but only the outputs of this model are known."
        )

    def for_mosaics(self, tiles: int) -> "Occlusion":
        """The same for mosaics, whose tiles have about as many cells as single images: at least 4 a side."""
        return replace(self, cells=max(4, self.cells // tiles + 1) * tiles)


@dataclass(frozen=True)
class RandomMasks:
    """The mean of random masks, weighted by the class's probability under each (RISE, Petsiuk et al. 2018).

    Attributes:
        model: the model.
        seed: random seed of the masks.
        cells: along one side.
        count: masks for each image.
    """

    model: AskedModel
    seed: int
    cells: int = CELLS
    count: int = MASKS

    method = "RISE"
    depths: tuple[str, ...] = ()

    @property
    def layer(self) -> Layer:
        """The image itself, in cells."""
        return image_layer(self.cells)

    @cached_property
    def masks(self) -> Floats32:
        """Random cells, half of them kept, (count, cells, cells)."""
        return (np.random.default_rng(self.seed).random((self.count, self.cells, self.cells)) < 0.5).astype(
            np.float32
        )

    def maps(self, images: Pixels, classes: Ints) -> Floats32:
        """Maps (n, c, cells, cells): mean probability where a cell is kept minus where it is not."""
        found = np.zeros((*classes.shape, self.cells, self.cells), dtype=np.float64)
        mean = self.masks.mean(axis=0)
        for mask in self.masks:
            share = cv2.resize(mask, images.shape[2:0:-1], interpolation=cv2.INTER_LINEAR)[None, ..., None]
            shown = np.rint(share * images + (1 - share) * GREY).astype(np.uint8)
            p = np.take_along_axis(softmax(self.model.logits(shown)), classes, axis=1)
            found += p[:, :, None, None] * (mask - mean)
        spread = np.maximum(mean * (1 - mean), 1e-3)
        return np.asarray(found / (self.count * spread), dtype=np.float32)

    def exact(self, images: Pixels) -> None:
        """It is not exact."""

    def randomised_maps(self, images: Pixels, classes: Ints, *, depth: str, seeds: Sequence[int]) -> Floats32:
        """There are no weights to change."""
        raise DeepSightError(
            f"Expected weights down to {depth}, but only the outputs of this model are known."
        )

    def for_mosaics(self, tiles: int) -> "RandomMasks":
        """The same for mosaics: at least 4 cells a side in each tile."""
        return replace(self, cells=max(4, self.cells // tiles + 1) * tiles)


def image_layer(cells: int) -> Layer:
    """The image as a layer of cells."""
    coarse = f"Only {cells} × {cells} cells: read it as a region, not as an outline."
    return Layer("the image", cells, coarse if cells < GOOD_SIDE else None)


def span(cell: int, cells: int, side: int) -> slice:
    """The range of pixels of a cell along one side."""
    return slice(round(cell * side / cells), round((cell + 1) * side / cells))


def log_probabilities(model: AskedModel, images: Pixels, classes: Ints) -> Floats32:
    """Log-probabilities (n, c) of the classes (n, c) of each image."""
    p = np.take_along_axis(softmax(model.logits(images)), classes, axis=1)
    return np.log(np.maximum(p, 1e-9)).astype(np.float32)


def black_box_attributors(model: AskedModel, *, seed: int) -> list[Attributor]:
    """Occlusion and RISE."""
    return [Occlusion(model), RandomMasks(model, seed)]
