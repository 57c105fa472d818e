"""Recall, precision and F1 against scikit-learn."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from deepsight.interpret.error_analysis.per_class import per_class_table


def test_values_are_those_of_scikit_learn_and_the_weakest_comes_first() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    predicted = np.where(rng.random(300) < 0.1 + 0.2 * labels, rng.integers(3, size=300), labels)
    frame = per_class_table(labels, predicted, ("a", "b", "c"), {"a": "early"}).frame
    precision, found, f1, n = precision_recall_fscore_support(labels, predicted)
    order = ["abc".index(name) for name in frame["class"]]
    assert frame["recall"].to_list() == pytest.approx(sorted(found))
    assert frame["precision"].to_list() == pytest.approx(list(precision[order]))
    assert frame["f1"].to_list() == pytest.approx(list(f1[order]))
    assert frame["n"].to_list() == list(n[order])
    assert dict(zip(frame["class"], frame["group"], strict=True)) == {"a": "early", "b": "", "c": ""}


def test_the_interval_is_wilsons() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    predicted = np.array([0] * 7 + [1] * 13)
    row = per_class_table(labels, predicted, ("a", "b"), {}, level=0.9).frame.row(0, named=True)
    expected = binomtest(7, 10).proportion_ci(0.9, "wilson")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((expected.low, expected.high))


def test_a_class_without_images_has_recall_zero_and_knows_nothing() -> None:
    row = per_class_table(np.array([0, 0]), np.array([0, 0]), ("a", "b"), {}).frame.row(0, named=True)
    assert (row["class"], row["n"], row["ci_low"], row["ci_high"]) == ("b", 0, 0, 1)


def test_best_and_worst_are_named_only_where_they_are_told_apart() -> None:
    labels = np.repeat(np.arange(3), 100)
    even = np.where(np.arange(300) % 10 == 0, (labels + 1) % 3, labels)
    assert "neither the best nor the worst" in per_class_table(labels, even, ("a", "b", "c"), {}).caption
    worse = np.where((labels == 2) & (np.arange(300) % 2 == 0), 0, even)
    caption = per_class_table(labels, worse, ("a", "b", "c"), {}).caption
    assert "c is worst" in caption
    assert "best" not in caption
