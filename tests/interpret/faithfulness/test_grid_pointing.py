"""Mosaics whose right answer is known."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.interpret.faithfulness.grid_pointing import (
    confident_and_correct,
    energy_in_own_tile,
    make_mosaics,
    tile_cover,
)
from scenes import COLOURS, colour_maps, scenes


def test_a_map_that_knows_points_to_its_tile() -> None:
    images, labels, _ = scenes(80)
    grid = make_mosaics(images, labels, tiles=2, count=20, seed=0)
    assert energy_in_own_tile(colour_maps, grid).mean() > 0.95


def test_a_map_that_ignores_the_class_is_at_chance_exactly() -> None:
    images, labels, _ = scenes(80)
    grid = make_mosaics(images, labels, tiles=2, count=10, seed=0)

    def brightness(x: np.ndarray, classes: np.ndarray) -> np.ndarray:
        bright = x.reshape(len(x), 8, 8, 8, 8, 3).mean(axis=(2, 4, 5))
        return bright[:, None] * (classes[:, :, None, None] >= 0)

    assert energy_in_own_tile(brightness, grid).mean() == pytest.approx(0.25)


def test_tiles_are_where_the_classes_say() -> None:
    images, labels, _ = scenes(80)
    grid = make_mosaics(images, labels, tiles=2, count=5, seed=3)
    assert grid.images.shape == (5, 64, 64, 3)
    assert all(len(set(line)) == 4 for line in grid.classes.tolist())
    for mosaic, classes in zip(grid.images, grid.classes, strict=True):
        for position, c in enumerate(classes):
            y, x = divmod(position, 2)
            tile = mosaic[32 * y : 32 * y + 32, 32 * x : 32 * x + 32]
            bright = tile[tile.max(axis=2) > 150].mean(axis=0)  # the disc, wherever it stands
            assert np.abs(bright - COLOURS[c]).max() < 25


def test_tiles_cover_the_map_once() -> None:
    for side in (8, 9, 12):
        assert np.allclose(sum(tile_cover(p, 3, side, side) for p in range(9)), 1)


def test_coarse_maps_are_refused() -> None:
    images, labels, _ = scenes(40)
    grid = make_mosaics(images, labels, tiles=2, count=2, seed=0)
    with pytest.raises(DeepSightError, match="4 map cells"):
        energy_in_own_tile(lambda x, c: np.ones((*c.shape, 4, 4)), grid)


def test_too_few_classes_for_a_mosaic() -> None:
    images, labels, _ = scenes(40)
    with pytest.raises(DeepSightError, match="9 classes"):
        make_mosaics(images, labels, tiles=3, count=1, seed=0)


def test_confident_and_correct_takes_the_better_half_of_each_class() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    p = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.6, 0.3])
    probabilities = np.stack([p, 1 - p], axis=1)
    assert confident_and_correct(labels, probabilities, share=0.5).tolist() == [0, 1, 4]
