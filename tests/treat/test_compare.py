"""Comparison of two models: planted changes are found, and statsmodels' McNemar by hand agrees."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from deepsight.core.errors import DeepSightError
from deepsight.treat.compare import comparison_tables
from made_arms import CLASSES, noisy, predictions

LABELS = np.repeat(np.arange(3), 100).astype(np.int64)
FIRST = noisy(LABELS, [0.3, 0.1, 0.1], 0)


def test_difference_and_tests() -> None:
    second = noisy(LABELS, [0.1, 0.1, 0.1], 0)
    found = comparison_tables(
        predictions(LABELS, FIRST), predictions(LABELS, second), CLASSES, names=("old", "new")
    )
    f1, accuracy = found["comparison"].frame.iter_rows(named=True)
    expected = [f1_score(LABELS, p, average="macro") for p in (FIRST, second)]
    assert f1["difference"] == pytest.approx(expected[1] - expected[0])
    assert accuracy["difference"] == pytest.approx((second == LABELS).mean() - (FIRST == LABELS).mean())
    only = ((FIRST == LABELS) & (second != LABELS)).sum(), ((FIRST != LABELS) & (second == LABELS)).sum()
    exact = binomtest(int(only[0]), int(sum(only))).pvalue
    if sum(only) < 25:
        assert accuracy["p_value"] == pytest.approx(exact)
    assert accuracy["verdict"] == "new is better"


def test_changed_images_are_listed_with_what_happened() -> None:
    second = FIRST.copy()
    wrong, right = np.flatnonzero(FIRST != LABELS), np.flatnonzero(FIRST == LABELS)
    second[wrong[0]] = LABELS[wrong[0]]
    second[wrong[1]] = 3 - FIRST[wrong[1]] - LABELS[wrong[1]]
    second[right[0]] = (LABELS[right[0]] + 1) % 3
    frame = comparison_tables(predictions(LABELS, FIRST), predictions(LABELS, second), CLASSES)[
        "comparison_changed"
    ].frame
    change = dict(frame.select("index", "change").iter_rows())
    assert change == {wrong[0]: "mended", wrong[1]: "another error", right[0]: "broken"}


def test_confusions_that_moved_come_first() -> None:
    second = np.where(LABELS == 0, 0, FIRST)
    frame = comparison_tables(predictions(LABELS, FIRST), predictions(LABELS, second), CLASSES)[
        "comparison_confusion"
    ].frame
    first = frame.row(0, named=True)
    assert (first["true"], first["predicted"], first["count_b"]) == ("bird", "cat", 0)
    assert first["q_value"] < 0.05
    assert len(frame) == 6
    assert frame.filter(pl.col("difference") == 0)["p_value"].eq(1.0).all()


def test_order_of_the_images_does_not_matter() -> None:
    a, b = predictions(LABELS, FIRST), predictions(LABELS, noisy(LABELS, [0.2] * 3, 1))
    order = np.random.default_rng(0).permutation(len(LABELS))
    shuffled = replace(
        b, ids=b.ids[order], labels=b.labels[order], logits=b.logits[order], features=b.features[order]
    )
    left, right = comparison_tables(a, b, CLASSES), comparison_tables(a, shuffled, CLASSES)
    assert all(left[name].frame.equals(right[name].frame) for name in left)


def test_a_model_against_itself_shows_nothing() -> None:
    a = predictions(LABELS, FIRST)
    found = comparison_tables(a, a, CLASSES)
    assert found["comparison"].frame["verdict"].to_list() == ["no difference shown"] * 2
    assert len(found["comparison_changed"].frame) == 0


def test_other_images_are_refused() -> None:
    a = predictions(LABELS, FIRST)
    with pytest.raises(DeepSightError, match="same images"):
        comparison_tables(a, replace(a, ids=a.ids + 1), CLASSES)
    with pytest.raises(DeepSightError, match="same labels"):
        comparison_tables(a, replace(a, labels=(a.labels + 1) % 3), CLASSES)
    with pytest.raises(DeepSightError, match="Expected 2 classes"):
        comparison_tables(a, a, CLASSES[:2])


def test_a_change_of_one_patient_is_no_difference() -> None:
    second = FIRST.copy()
    second[:60] = LABELS[:60]
    patient = np.where(np.arange(300) < 60, 0, np.arange(300))
    a, b = predictions(LABELS, FIRST), predictions(LABELS, second)
    free, grouped = comparison_tables(a, b, CLASSES), comparison_tables(a, b, CLASSES, groups=patient)
    alone = comparison_tables(a, b, CLASSES, groups=np.arange(300))
    assert (free["comparison"].frame["p_value"] < 0.01).all()
    assert (grouped["comparison"].frame["p_value"] > 0.1).all()
    assert (grouped["comparison"].frame["verdict"] == "no difference shown").all()
    assert alone["comparison"].frame["ci_low"].to_numpy() == pytest.approx(
        free["comparison"].frame["ci_low"].to_numpy(), abs=0.01
    )
    assert "241 groups" in grouped["comparison"].method
