"""The grid pointing game: does a map find the image of its class in a mosaic? (Böhle et al. 2021)."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.interpret.attribution.energy_pointing import energy_pointing

MapsOf = Callable[[Pixels, Ints], NDArray[np.floating]]  # (m, H, W, 3), (m, c) -> (m, c, h, w)

CELLS_PER_TILE = 4


@dataclass(frozen=True)
class Mosaics:
    """Grids of images of distinct classes.

    Attributes:
        images: uint8 (m, tiles h, tiles w, 3).
        classes: int64 (m, tiles²), the class of each tile, row by row.
        tiles: along one side.
    """

    images: Pixels
    classes: Ints
    tiles: int


def confident_and_correct(labels: Ints, probabilities: NDArray[np.floating], *, share: float = 0.5) -> Ints:
    """Positions of the correctly classified images in the more confident `share` of each class."""
    confidence = probabilities[np.arange(len(labels)), labels]
    right = probabilities.argmax(axis=1) == labels
    chosen = []
    for c in np.unique(labels):
        rows = np.flatnonzero(right & (labels == c))
        chosen.append(rows[np.argsort(-confidence[rows], kind="stable")[: max(1, round(share * len(rows)))]])
    return np.sort(np.concatenate(chosen))


def make_mosaics(images: Pixels, labels: Ints, *, tiles: int, count: int, seed: int) -> Mosaics:
    """`count` random mosaics of tiles × tiles images.

    Raises:
        DeepSightError: fewer than tiles² classes.
    """
    classes = np.unique(labels)
    if len(classes) < tiles**2:
        raise DeepSightError(f"Expected at least {tiles**2} classes for a mosaic, received {len(classes)}.")
    rng = np.random.default_rng(seed)
    pools = {c: np.flatnonzero(labels == c) for c in classes}
    asked = np.stack([rng.permutation(classes)[: tiles**2] for _ in range(count)])
    rows = np.array([[rng.choice(pools[c]) for c in line] for line in asked])
    _, height, width, _ = images.shape
    grid = images[rows].reshape(count, tiles, tiles, height, width, 3)
    joined = grid.transpose(0, 1, 3, 2, 4, 5).reshape(count, tiles * height, tiles * width, 3)
    return Mosaics(joined, asked, tiles)


def energy_in_own_tile(maps_of: MapsOf, grid: Mosaics) -> Floats:
    """The share of each map's positive evidence in the tile of its class, (m, tiles²), 0 to 1.

    All classes of a mosaic are explained, so a map that ignores the class scores 1 / tiles² on average.

    Args:
        maps_of: mosaics and classes (m, tiles²) -> a map of each class (m, tiles², h, w). The mosaics are
            `tiles` times as large as single images and must be scaled by the same factor.

    Raises:
        DeepSightError: fewer than 4 cells a side in each tile.
    """
    maps = maps_of(grid.images, grid.classes)
    require_fine(maps, grid.tiles)
    shares = np.empty(grid.classes.shape)
    for position in range(grid.tiles**2):
        tile = tile_cover(position, grid.tiles, *maps.shape[2:])
        of_class = maps[:, position]
        shares[:, position] = energy_pointing(of_class, np.broadcast_to(tile, of_class.shape))
    return np.nan_to_num(shares)  # no positive evidence is no evidence in the tile


def require_fine(maps: NDArray[np.floating], tiles: int) -> None:
    """Refuse maps that are too coarse to separate the tiles."""
    side = min(maps.shape[2:])
    if side < CELLS_PER_TILE * tiles:
        raise DeepSightError(
            f"Expected at least {CELLS_PER_TILE} map cells a side in each tile, received {side} for "
            f"{tiles} tiles. Use an earlier layer or a larger --resolution."
        )


def tile_cover(position: int, tiles: int, height: int, width: int) -> NDArray[np.float32]:
    """The share of each map cell that lies in the tile at this position, (height, width)."""
    indicator = np.zeros(tiles**2, dtype=np.float32)
    indicator[position] = 1
    fine = np.kron(indicator.reshape(tiles, tiles), np.ones((height, width), dtype=np.float32))
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)
