"""Mask errors on easy scenes and on a case that cannot be segmented."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.interpret.mask_quality import measure
from deepsight.interpret.masks import Masks
from scenes import scenes


def test_easy_scenes_have_good_masks() -> None:
    images, _, masks = scenes(24, aligned=0.0, seed=5)
    found = measure(images, masks, n=8)
    assert found.n == 8
    assert found.informedness > 0.5
    assert found.good_enough


def test_noise_has_no_masks_to_trust() -> None:
    images, _, masks = scenes(12)
    noise = np.random.default_rng(0).integers(0, 256, size=images.shape, dtype=np.uint8)
    assert not measure(noise, masks, n=3).good_enough


def test_at_least_two_masks_are_needed() -> None:
    images, _, masks = scenes(4)
    with pytest.raises(DeepSightError, match="at least two"):
        measure(images, Masks(masks.inside, np.array([True, False, False, False])))
