"""The matrix against scikit-learn; planted confusions are found and chance is not."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from deepsight.interpret.error_analysis.confusion import (
    confusion_direction_table,
    confusion_pairs_table,
    confusion_table,
)
from deepsight.interpret.error_analysis.quasi_independence import pair_tests

CLASSES = ("ant", "bee", "cow", "dog", "eel", "fox")
K = len(CLASSES)


def chance(seed: int, n: int = 3000, error: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Errors that fall on the other classes in proportion to fixed and unequal popularities."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(K, size=n)
    popularity = np.tile(np.arange(1, K + 1, dtype=float), (K, 1))
    np.fill_diagonal(popularity, 0)
    edges = np.cumsum(popularity / popularity.sum(axis=1, keepdims=True), axis=1)
    other = (rng.random((n, 1)) > edges[labels]).sum(axis=1)
    return labels, np.where(rng.random(n) < error, other, labels)


def planted(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Chance, and a fifth of the dogs called fox."""
    labels, predicted = chance(seed)
    taken = (labels == 3) & (np.random.default_rng(seed + 1).random(len(labels)) < 0.2)
    return labels, np.where(taken, 5, predicted)


def test_matrix_is_that_of_scikit_learn() -> None:
    labels, predicted = chance(0)
    table = confusion_table(labels, predicted, CLASSES)
    reference = confusion_matrix(labels, predicted)
    assert table.frame["count"].to_numpy().reshape(K, K).tolist() == reference.tolist()
    assert table.frame.group_by("true").agg(pl.col("rate").sum())["rate"].to_list() == pytest.approx(
        [1.0] * K
    )


def test_a_planted_pair_is_flagged_and_its_p_is_binomial() -> None:
    labels, predicted = planted(1)
    frame = confusion_pairs_table(labels, predicted, CLASSES).frame
    row = frame.row(by_predicate=(pl.col("true") == "dog") & (pl.col("predicted") == "fox"), named=True)
    null = pair_tests(confusion_matrix(labels, predicted))
    reference = binomtest(
        row["count"], int(null.trials[3, 5]), null.shares[3, 5], alternative="greater"
    ).pvalue
    assert row["flagged"]
    assert row["p_value"] == pytest.approx(reference, rel=1e-6)
    assert row["ci_low"] < row["rate"] < row["ci_high"]
    assert row["expected"] < row["ci_low"]


def test_two_classes_leave_nothing_to_test() -> None:
    labels = np.repeat([0, 1], 100)
    table = confusion_pairs_table(labels, np.where(np.arange(200) % 3 == 0, 1 - labels, labels), ("a", "b"))
    assert not table.frame["flagged"].any()
    assert table.frame["p_value"].to_list() == [1, 1]
    assert "no pair can stand out" in table.caption


def test_chance_is_rarely_flagged() -> None:
    """The family-wise rate at 5 %: more than 6 of 40 runs has a probability below 1 in 200."""
    alarms = sum(confusion_pairs_table(*chance(seed), CLASSES).frame["flagged"].any() for seed in range(40))
    assert alarms <= 6


def test_a_perfect_model_has_no_pair() -> None:
    labels = np.arange(60) % K
    assert not confusion_pairs_table(labels, labels, CLASSES).frame["flagged"].any()
    assert len(confusion_direction_table(labels, labels, CLASSES).frame) == 0


def test_direction_names_the_way_that_dominates() -> None:
    frame = confusion_direction_table(*planted(2), CLASSES).frame
    row = frame.row(by_predicate=(pl.col("class_a") == "dog") & (pl.col("class_b") == "fox"), named=True)
    assert row["dominant"] == "a as b"


def test_direction_allows_for_the_sizes_of_the_classes() -> None:
    """90 of 900 and 10 of 100 are the same rate."""
    labels = np.repeat([0, 1], [900, 100])
    predicted = labels.copy()
    predicted[:90], predicted[900:910] = 1, 0
    row = confusion_direction_table(labels, predicted, ("a", "b")).frame.row(0, named=True)
    assert row["dominant"] == "neither"
    assert row["p_value"] > 0.9
