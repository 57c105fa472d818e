"""Planted drift is found, with the size that was planted; equal sets show none; a second library agrees."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from deepsight.core.errors import DeepSightError
from deepsight.explore.drift.features import area_of_new, feature_drift_table
from deepsight.explore.drift.predictions import class_drift_table, familiarity_table
from deepsight.explore.drift.properties import property_drift_table, standardised_difference
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities

CLASSES = ("cat", "dog")
RNG = np.random.default_rng(0)
BEFORE, NOW = RNG.integers(2, size=400), RNG.integers(2, size=300)


def tell_apart(features: np.ndarray, is_new: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    return out_of_fold_probabilities(features, is_new, 2, groups=groups, seed=0)[:, 1]


def properties(shift: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Brightness, darker by `shift` deviations in dogs alone, and a contrast that stays."""
    rng = np.random.default_rng(1)
    before = pl.DataFrame({"brightness": rng.normal(size=400), "contrast": rng.normal(size=400)})
    now = pl.DataFrame({"brightness": rng.normal(size=300) - shift * NOW, "contrast": rng.normal(size=300)})
    return before, now


def test_a_property_drifts_in_the_class_where_it_was_planted() -> None:
    table = property_drift_table(*properties(1.5), BEFORE, NOW, CLASSES)
    drifted = {(row["class"], row["property"]) for row in table.frame.filter("drifted").iter_rows(named=True)}
    assert drifted >= {("dog", "brightness"), ("all", "brightness")}
    assert not drifted & {("all", "contrast"), ("cat", "brightness"), ("cat", "contrast")}
    dog = table.frame.row(
        by_predicate=(pl.col("class") == "dog") & (pl.col("property") == "brightness"), named=True
    )
    assert dog["ci_low"] < -1.5 < dog["ci_high"]


def test_equal_sets_show_no_drift() -> None:
    assert not property_drift_table(*properties(0), BEFORE, NOW, CLASSES).frame["drifted"].any()
    rng = np.random.default_rng(2)
    same = feature_drift_table(
        rng.normal(size=(400, 20)),
        rng.normal(size=(300, 20)),
        BEFORE,
        NOW,
        CLASSES,
        tell_apart=tell_apart,
        seed=0,
    )
    assert not same.frame["drifted"].any()
    assert same.frame["auc"].is_between(0.35, 0.65).all()
    assert not class_drift_table(BEFORE, NOW, CLASSES).frame["drifted"].any()


def test_hedges_g_is_unbiased_where_the_truth_is_known() -> None:
    rng = np.random.default_rng(3)
    found = [standardised_difference(rng.normal(size=30), rng.normal(0.8, 1, size=30)) for _ in range(400)]
    assert np.mean([one.value for one in found]) == pytest.approx(0.8, abs=0.05)
    covered = np.mean([one.low <= 0.8 <= one.high for one in found])
    assert 0.92 <= covered <= 0.98


@pytest.mark.slow
def test_the_area_is_scikit_learns_and_its_interval_covers() -> None:
    rng = np.random.default_rng(4)
    truth, covered = 0.7602, []  # Phi(1 / sqrt(2)) for a shift of one deviation
    for _ in range(300):
        positive = rng.random(120) < 0.4
        score = rng.normal(size=120) + positive
        area, _ = area_of_new(score, positive)
        assert area.value == pytest.approx(roc_auc_score(positive, score))
        covered.append(area.low <= truth <= area.high)
    assert 0.91 <= np.mean(covered) <= 0.98


def test_moved_features_are_told_apart_class_by_class() -> None:
    rng = np.random.default_rng(5)
    before, now = rng.normal(size=(400, 20)), rng.normal(size=(300, 20))
    now[NOW == 1, 3] += 2
    frame = feature_drift_table(before, now, BEFORE, NOW, CLASSES, tell_apart=tell_apart, seed=0).frame
    drifted = dict(frame.select("class", "drifted").iter_rows())
    assert drifted == {"all": True, "cat": False, "dog": True}


def feature_drift(features: np.ndarray, groups: np.ndarray | None) -> pl.DataFrame:
    """The table for 60 groups of ten images, the last 30 of them new, in one class."""
    one = np.zeros(300, dtype=np.int64)
    return feature_drift_table(
        features[:300], features[300:], one, one, ("cat",), tell_apart=tell_apart, groups=groups, seed=0
    ).frame


GROUP = np.repeat(np.arange(60), 10)


def test_copies_within_groups_are_no_drift() -> None:
    """Each image ten times: what was seen in another fold is recognised, but only without groups."""
    copies = np.random.default_rng(6).normal(size=(60, 80))[GROUP]
    seen, unseen = (feature_drift(copies, groups).row(0, named=True) for groups in (None, GROUP))
    assert seen["auc"] > 0.99
    assert seen["drifted"]
    assert unseen["auc"] < 0.75
    assert not unseen["drifted"]


def test_with_groups_drift_is_found_where_it_is_planted() -> None:
    rng = np.random.default_rng(7)
    moved = rng.normal(size=(600, 20)) + rng.normal(size=(60, 20))[GROUP]
    assert not feature_drift(moved, GROUP)["drifted"].any()
    moved[300:, 3] += 4
    assert feature_drift(moved, GROUP)["drifted"].all()


def test_groups_of_one_image_change_neither_interval_nor_p() -> None:
    rng = np.random.default_rng(8)
    positive = rng.random(150) < 0.4
    score = rng.normal(size=150) + 0.3 * positive
    (area, p), (grouped, p_grouped) = (area_of_new(score, positive, each) for each in (None, np.arange(150)))
    assert (grouped.value, grouped.low, grouped.high) == pytest.approx(
        (area.value, area.low, area.high), abs=1e-3
    )
    assert p_grouped == pytest.approx(p, rel=0.1)  # one degree of freedom less


def test_a_set_that_is_one_group_shows_no_drift() -> None:
    features = np.random.default_rng(9).normal(size=(600, 5))
    with pytest.raises(DeepSightError, match="in one group"):
        feature_drift(features, np.where(np.arange(600) < 300, GROUP, 99))


@pytest.mark.slow
def test_images_of_few_groups_raise_no_more_false_alarms_than_p_allows() -> None:
    rng, p = np.random.default_rng(10), {True: [], False: []}
    positive = np.repeat([True, False], 300)
    for _ in range(300):
        score = rng.normal(size=60)[GROUP] + 0.3 * rng.normal(size=600)
        for grouped, found in p.items():
            found.append(area_of_new(score, positive, GROUP if grouped else None)[1])
    assert np.mean(np.array(p[True]) < 0.05) < 0.1
    assert np.mean(np.array(p[False]) < 0.05) > 0.2


def test_another_mix_of_classes_is_found_with_its_size() -> None:
    now = np.repeat([0, 1], [240, 60])
    row = class_drift_table(BEFORE, now, CLASSES).frame.row(by_predicate=pl.col("class") == "cat", named=True)
    assert row["drifted"]
    assert row["difference"] == pytest.approx(0.8 - (BEFORE == 0).mean())
    assert row["ci_low"] < row["difference"] < row["ci_high"]


def test_unfamiliar_images_are_counted_by_class() -> None:
    unlike = np.arange(300) < 30
    table = familiarity_table(
        unlike, np.full(300, 0.5), NOW, np.full(400, 0.9), BEFORE, CLASSES, expected=0.01
    )
    whole = table.frame.row(0, named=True)
    assert (whole["n"], whole["share"], whole["confidence_before"]) == (300, 0.1, pytest.approx(0.9))
    assert whole["p_value"] < 1e-6
    assert table.frame["class"].to_list() == ["all", "cat", "dog"]
