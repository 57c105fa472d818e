"""Views: what a second look sees, and which images get one."""

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.interpret.labels.test_time_augmentation import augmented_logits, mirrored, moved

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(256, size=(20, 32, 32, 3), dtype=np.uint8)
DATA = Dataset(PIXELS, np.arange(20) % 2, ("a", "b"), np.arange(20), "test")
SURE = np.linspace(0.5, 1, 20)
PROBABILITIES = np.stack([SURE, 1 - SURE], axis=1)


def left_and_top(pixels: np.ndarray) -> np.ndarray:
    """A model that sees the brightness of the left half, and of the upper one."""
    return np.stack([pixels[:, :, :16].mean(axis=(1, 2, 3)), pixels[:, :16].mean(axis=(1, 2, 3))], axis=1)


def test_a_mirrored_image_has_its_columns_in_reverse() -> None:
    assert np.array_equal(mirrored(mirrored(PIXELS)), PIXELS)
    assert np.array_equal(mirrored(PIXELS)[3, 5, 0], PIXELS[3, 5, 31])


@pytest.mark.parametrize("side", [8, 32, 64])
def test_a_moved_image_is_the_same_further_down_and_right(side: int) -> None:
    pixels = RNG.integers(256, size=(3, side, side, 3), dtype=np.uint8)
    by = max(1, side // 16)
    assert np.array_equal(moved(pixels)[:, by:, by:], pixels[:, :-by, :-by])
    assert np.array_equal(moved(pixels)[:, 0, by:], pixels[:, by, :-by])


def test_only_the_least_sure_images_are_looked_at_again() -> None:
    seen = augmented_logits(DATA, PROBABILITIES, left_and_top, most=6)
    assert seen.shape == (2, 20, 2)
    assert np.isfinite(seen[:, :6]).all()
    assert np.isnan(seen[:, 6:]).all()
    np.testing.assert_allclose(seen[0, :6, 0], PIXELS[:6, :, 16:].mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(seen[1, :6], left_and_top(moved(PIXELS[:6])))


def test_none_need_be_looked_at() -> None:
    assert np.isnan(augmented_logits(DATA, PROBABILITIES, left_and_top, most=0)).all()
