"""Mask errors on easy scenes and on a case that cannot be segmented."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality, mask_table, measure_masks
from scenes import CLASSES, scenes


@pytest.mark.slow
def test_easy_scenes_have_good_masks() -> None:
    images, _, masks = scenes(24, aligned=0.0, seed=5)
    found = measure_masks(images, masks, n=8)
    assert found.n == 8
    assert found.informedness > 0.5
    assert found.good_enough


def test_noise_has_no_masks_to_trust() -> None:
    images, _, masks = scenes(12)
    noise = np.random.default_rng(0).integers(0, 256, size=images.shape, dtype=np.uint8)
    assert not measure_masks(noise, masks, n=3).good_enough


def test_at_least_two_masks_are_needed() -> None:
    images, _, masks = scenes(4)
    with pytest.raises(DeepSightError, match="at least two"):
        measure_masks(images, Masks(masks.inside, np.array([True, False, False, False])))


def test_rejection_by_class_is_counted_and_the_worst_is_named() -> None:
    _, labels, masks = scenes(40)
    accepted = (labels != 1) | (np.arange(40) < 8)
    found = mask_table(Masks(masks.inside, accepted), labels, CLASSES, MaskQuality(0.9, 0.95, 0.1, 12))
    whole, *of_class = found.frame.rows(named=True)
    assert whole["class"] == "all"
    assert (whole["sensitivity"], whole["specificity"]) == (0.9, 0.95)
    assert [row["class"] for row in of_class] == list(CLASSES)
    assert [row["rejected"] for row in of_class] == [0, pytest.approx(0.8), 0, 0]
    assert all(row["ci_low"] <= row["rejected"] <= row["ci_high"] for row in of_class)
    assert whole["area"] == pytest.approx(masks.area()[accepted].mean())
    assert "green (80%)" in found.caption
    assert "12 composites" in found.method


def test_a_class_without_a_mask_has_no_area() -> None:
    _, labels, masks = scenes(8)
    found = mask_table(Masks(masks.inside, labels != 0), labels, CLASSES, MaskQuality(1.0, 1.0, 0.0, 1))
    assert found.frame["area"].to_list()[1] is None
