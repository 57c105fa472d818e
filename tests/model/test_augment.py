"""Views are what their seed, number and block say, and every kind of change is seen in them."""

import numpy as np
import pytest

from deepsight.model import augment
from deepsight.model.augment import augmented, definition


@pytest.fixture(scope="module")
def pixels(cifar10) -> np.ndarray:
    return cifar10[0].pixels(np.arange(96))


def test_view_zero_is_the_image_itself_in_an_array_of_its_own(pixels):
    view = augmented(pixels, view=0, block=0, seed=0)
    np.testing.assert_array_equal(view, pixels)
    assert not np.shares_memory(view, pixels)


def test_seed_view_and_block_say_all(pixels):
    given = {"view": 1, "block": 2, "seed": 3}
    before = pixels.copy()
    first = augmented(pixels, **given)
    np.testing.assert_array_equal(first, augmented(pixels, **given))
    np.testing.assert_array_equal(pixels, before)
    assert (first.shape, first.dtype) == (pixels.shape, np.uint8)
    for name in given:
        assert (augmented(pixels, **{**given, name: 7}) != first).any()


def test_a_group_smaller_than_the_others_is_augmented_too(pixels):
    few = pixels[:17]
    views = [augmented(few, view=v, block=0, seed=0) for v in range(1, 6)]
    assert all(any((view[i] != few[i]).any() for view in views) for i in range(17))


def test_images_are_mirrored_shifted_recoloured_and_covered():
    """A gradient from left to right over a flat colour shows each change by itself."""
    ramp = np.tile(np.linspace(60, 180, 32).astype(np.uint8)[None, :, None], (32, 1, 3))
    images = np.tile(ramp, (augment.GROUP * 40, 1, 1, 1))
    views = augmented(images, view=1, block=0, seed=0).astype(int)
    rising = np.sign(np.median(np.diff(views[..., 0], axis=2), axis=(1, 2)))
    assert 0.25 < (rising < 0).mean() < 0.75
    covered = (views == 128).all(-1).mean((1, 2)) > 0.02
    assert 0.1 < covered.mean() < 0.6
    assert (views.max(-1) != views.min(-1)).any(axis=(1, 2)).any(), "no colour is shifted"
    plain = views[(rising > 0) & ~covered]
    assert len(np.unique(np.abs(plain - plain[0]).sum((1, 2, 3)))) > 3


def test_neighbours_in_the_data_set_do_not_share_their_draw(pixels):
    same = np.tile(pixels[:1], (64, 1, 1, 1))
    views = augmented(same, view=1, block=0, seed=5)
    assert len(np.unique(views[: augment.GROUP].reshape(augment.GROUP, -1), axis=0)) > 1


def test_the_definition_changes_with_the_code(monkeypatch):
    before = definition()
    assert "HorizontalFlip" in before
    monkeypatch.setattr(augment, "GROUP", 8)
    assert definition() != before
