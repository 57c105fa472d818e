"""Shares of evidence by class where the places of object and evidence are known."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from deepsight.core.evidence import Evidence
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.energy_by_class import energy_by_class_table
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality

LAYER = Layer("stage 4", 4, None)
PERFECT = MaskQuality(1.0, 1.0, 0.0, 40)


def planted(n: int = 60) -> tuple[np.ndarray, Masks, np.ndarray]:
    """Objects in the middle quarter; evidence of class 0 on them, of class 1 in a corner, of 2 anywhere."""
    labels = np.arange(n) % 3
    inside = np.zeros((n, 128, 128), dtype=bool)
    inside[:, 32:96, 32:96] = True
    maps = np.full((n, 4, 4), -1.0)
    maps[labels == 0, 1:3, 1:3] = 1
    maps[labels == 1, 0, 0] = 1
    maps[labels == 2] = np.random.default_rng(0).random((n // 3, 4, 4))
    return maps, Masks(inside, np.arange(n) % 10 != 9), labels


def test_shares_are_where_they_were_planted() -> None:
    maps, masks, labels = planted()
    made = energy_by_class_table(maps, masks, labels, ("on", "off", "even"), quality=PERFECT, layer=LAYER)
    rows = {row["class"]: row for row in made.frame.to_dicts()}
    assert Evidence().add(attribution_classes=made)["attribution_classes"].n == 54
    assert (rows["on"]["object_share"], rows["on"]["peak_inside"]) == (1.0, 1.0)
    assert (rows["off"]["object_share"], rows["off"]["peak_inside"]) == (0.0, 0.0)
    assert rows["even"]["object_share"] == pytest.approx(0.25, abs=0.05)
    assert all(row["object_area"] == pytest.approx(0.25) for row in rows.values())
    assert "cover 25%" in made.caption
    assert made.caption.endswith("fewer than 30 images are too narrow: on (18), off (18), even (18).")


def test_interval_against_scipy_and_correction_by_hand() -> None:
    maps, masks, labels = planted()
    flawed = MaskQuality(0.8, 0.9, 0.0, 40)
    row = energy_by_class_table(
        maps, masks, labels, ("on", "off", "even"), quality=flawed, layer=LAYER
    ).frame.row(3, named=True)
    kept = maps[masks.accepted & (labels == 2)]
    shares = kept[:, 1:3, 1:3].sum(axis=(1, 2)) / kept.sum(axis=(1, 2))
    interval = ttest_1samp(shares, 0).confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert row["corrected_share"] == pytest.approx((shares.mean() - 0.1) / 0.7)


def test_without_masks_there_is_no_row() -> None:
    maps, masks, labels = planted()
    none = Masks(masks.inside, np.zeros(60, dtype=bool))
    made = energy_by_class_table(maps, none, labels, ("on", "off", "even"), quality=PERFECT, layer=LAYER)
    assert made.frame.height == 0
    assert made.caption == "No two images had a usable mask."
