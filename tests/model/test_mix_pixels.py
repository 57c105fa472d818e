"""Pixels are mixed with the partner and the share that the labels are mixed by."""

import numpy as np
import pytest

from deepsight.model.mix_pixels import GROUP, mix_block, partners_of
from deepsight.model.training.sampling import Mixing


def flat_images(n: int) -> np.ndarray:
    """Image i holds the level 2 i everywhere, so that a mixture tells what it is made of."""
    return np.broadcast_to(2 * np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 8, 8, 3)).copy()


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_the_pixels_are_those_that_the_partners_say(kind):
    images, size = flat_images(100), 40
    given = {"view": 2, "seed": 1}
    before = images.copy()
    blocks = [
        mix_block(images[i : i + size], Mixing(kind, 1.0), block=b, **given)
        for b, i in enumerate(range(0, 100, size))
    ]
    partners = partners_of(100, 8, 8, Mixing(kind, 1.0), size=size, **given)
    expected = 2 * (partners.own * np.arange(100) + (1 - partners.own) * partners.rows)
    np.testing.assert_allclose(np.concatenate(blocks).mean((1, 2, 3)), expected, atol=0.51)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(np.sort(partners.rows), np.arange(100))
    assert all(partners.rows[i] // size == i // size for i in range(100)), "a partner is of another block"


def test_images_of_a_group_share_the_share_and_groups_differ():
    own = partners_of(64, 8, 8, Mixing("mixup", 1.0), view=0, size=64, seed=0).own.reshape(-1, GROUP)
    assert (own == own[:, :1]).all()
    assert len(np.unique(own[:, 0])) == 4


def test_seed_view_and_block_say_all():
    images = flat_images(32)
    given = {"view": 1, "block": 0, "seed": 0}
    first = mix_block(images, Mixing("mixup", 1.0), **given)
    np.testing.assert_array_equal(first, mix_block(images, Mixing("mixup", 1.0), **given))
    for name in given:
        assert (mix_block(images, Mixing("mixup", 1.0), **{**given, name: 5}) != first).any()
