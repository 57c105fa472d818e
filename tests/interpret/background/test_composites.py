"""Objects and backgrounds come apart and together again."""

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.composites import cut_out, inpaint, paste
from scenes import COLOURS, scenes


def test_paste_keeps_object_and_takes_background() -> None:
    images, _, masks = scenes(8)
    parts = cut_out(images, masks)
    subjects, donors = np.array([0, 1, 2]), np.array([5, 6, 7])
    made = parts.on(subjects, donors)
    inside, outside = parts.cover[subjects] == 1, parts.cover[subjects] == 0
    assert np.array_equal(made[inside], images[subjects][inside])
    assert np.array_equal(made[outside], parts.backgrounds[donors][outside])


def test_on_its_own_background_little_changes() -> None:
    images, _, masks = scenes(8)
    parts = cut_out(images, masks)
    rows = np.arange(8)
    far = parts.cover < 0.01
    far &= np.abs(parts.backgrounds.astype(int) - images).max(axis=3) == 0
    made = parts.on(rows, rows)
    assert far.mean() > 0.4
    assert np.array_equal(made[far], images[far])


def test_background_holds_nothing_of_the_object() -> None:
    """The disc has its class's full colour, the ground half of another's: no trace of the first may stay."""
    images, labels, masks = scenes(40, aligned=0.0, seed=1)
    backgrounds = cut_out(images, masks).backgrounds
    place = masks.cover(32, 32) == 1
    for image, ground, inside, label in zip(images, backgrounds, place, labels, strict=True):
        border = np.concatenate([image[0], image[-1]]).mean(axis=0)
        assert np.abs(ground[inside].mean(axis=0) - border).max() < 12
        if np.abs(border - COLOURS[label] / 2).max() > 30:
            assert np.abs(ground[inside].mean(axis=0) - COLOURS[label]).max() > 60


def test_fill_without_a_hole_is_the_image(cifar10: tuple[Dataset, Dataset]) -> None:
    images = cifar10[1].pixels(slice(0, 5))
    assert np.array_equal(inpaint(images, np.zeros((5, 32, 32), dtype=np.float32)), images)


def test_fill_of_everything_is_grey() -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(2, 7, 12, 3), dtype=np.uint8)
    filled = inpaint(images, np.ones((2, 7, 12), dtype=np.float32))
    assert np.ptp(filled) <= 1
    assert abs(int(filled.mean()) - 127) <= 1


def test_fill_of_an_even_ground_is_even() -> None:
    image = np.full((1, 33, 17, 3), (10, 120, 240), dtype=np.uint8)
    hole = np.zeros((1, 33, 17), dtype=np.float32)
    hole[0, 8:20, 3:12] = 1
    spoiled = image.copy()
    spoiled[hole == 1] = 99
    assert np.abs(inpaint(spoiled, hole).astype(int) - image).max() <= 2


def test_paste_is_a_weighted_mean() -> None:
    a, b = np.full((1, 2, 2, 3), 200, np.uint8), np.full((1, 2, 2, 3), 100, np.uint8)
    assert (paste(a, np.full((1, 2, 2), 0.25, np.float32), b) == 125).all()


def test_every_image_needs_a_mask() -> None:
    images, _, masks = scenes(8)
    with pytest.raises(DeepSightError, match="mask for each"):
        cut_out(images[:5], masks)
