"""A planted truth of each kind gets its verdict, and chance stays undecided."""

import numpy as np
import polars as pl
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.hypothesis import Group, Hypothesis
from deepsight.interpret.error_analysis.hypothesis_tests import hypotheses_table

CLASSES = tuple("abcdefgh")
FIRST, SECOND = Group("first", tuple("abcd")), Group("second", tuple("efgh"))
GAP = Hypothesis("gap", "The first are found more often.", "recall_gap", FIRST, SECOND)
PAIR = Hypothesis(
    "pair", "a and b are taken for each other.", "confused_pair", Group("a", ("a",)), Group("b", ("b",))
)


def model(error: np.ndarray, pair: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes with these error rates; a further share `pair` of a and of b is called by the other's name."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(8), 400)
    wrong = (labels + rng.integers(1, 8, size=len(labels))) % 8
    predicted = np.where(rng.random(len(labels)) < error[labels], wrong, labels)
    swapped = (labels < 2) & (rng.random(len(labels)) < pair)
    return labels, np.where(swapped, 1 - labels, predicted)


def verdict(hypothesis: Hypothesis, labels: np.ndarray, predicted: np.ndarray) -> dict[str, object]:
    return hypotheses_table([hypothesis], labels, predicted, CLASSES).frame.row(0, named=True)


LOW_THEN_HIGH = np.array([0.05, 0.06, 0.07, 0.08, 0.25, 0.26, 0.27, 0.28])
MIXED = np.array([0.05, 0.3, 0.05, 0.3, 0.05, 0.42, 0.05, 0.42])


def test_a_clear_gap_is_supported_and_its_reverse_refuted() -> None:
    row = verdict(GAP, *model(LOW_THEN_HIGH))
    assert row["verdict"] == "supported"
    assert row["effect"] == pytest.approx(0.2, abs=0.03)
    assert row["p_value"] == pytest.approx(2 / 70)
    assert verdict(GAP, *model(LOW_THEN_HIGH[::-1]))["verdict"] == "refuted"


def test_a_gap_that_images_show_and_classes_do_not_is_undecided() -> None:
    row = verdict(GAP, *model(MIXED))
    assert row["ci_low"] > 0  # type: ignore[operator]
    assert row["p_value"] > 0.05  # type: ignore[operator]
    assert row["verdict"] == "undecided"


def test_a_planted_pair_is_supported_and_an_avoided_one_refuted() -> None:
    even = np.full(8, 0.2)
    assert verdict(PAIR, *model(even, pair=0.1))["verdict"] == "supported"
    labels, predicted = model(even)
    predicted = np.where((labels < 2) & (predicted == 1 - labels), 5, predicted)
    assert verdict(PAIR, labels, predicted)["verdict"] == "refuted"


def test_one_direction_is_not_enough() -> None:
    """a is called b far beyond chance, b is called a as chance has it: they are not taken for each other."""
    labels, predicted = model(np.full(8, 0.1))
    one_way = (labels == 0) & (np.random.default_rng(1).random(len(labels)) < 0.3)
    row = verdict(PAIR, labels, np.where(one_way, 1, predicted))
    assert row["verdict"] == "undecided"
    found = hypotheses_table([GAP], labels, np.where(one_way, 1, predicted), CLASSES).frame
    assert "a is mistaken for b." in found["statement"].to_list()


def test_two_classes_decide_nothing_about_a_pair() -> None:
    labels = np.repeat([0, 1], 100)
    row = hypotheses_table([PAIR], labels, np.where(np.arange(200) % 4, labels, 1 - labels), ("a", "b"))
    assert row.frame["verdict"].to_list() == ["undecided"]


def test_a_pair_confused_by_chance_is_seldom_decided() -> None:
    """More than 7 of 40 at 5 % has a probability below 1 in 1,000."""
    decided = [
        verdict(PAIR, *model(np.full(8, 0.2), seed=seed))["verdict"] != "undecided" for seed in range(40)
    ]
    assert sum(decided) <= 7


def test_a_perfect_model_decides_nothing() -> None:
    labels = np.repeat(np.arange(8), 5)
    frame = hypotheses_table([GAP, PAIR], labels, labels, CLASSES).frame
    assert frame["verdict"].to_list() == ["undecided", "undecided"]


def test_a_pair_that_nobody_foresaw_is_listed_and_not_decided() -> None:
    labels, predicted = model(np.full(8, 0.1), pair=0.2)
    found = hypotheses_table([GAP], labels, predicted, CLASSES).frame.filter(~pl.col("registered"))
    assert found["name"].to_list() in (["a-b"], ["b-a"])
    assert found["verdict"].to_list() == ["undecided"]
    assert hypotheses_table([PAIR], labels, predicted, CLASSES).frame["registered"].all()


def test_a_hypothesis_about_unknown_classes_is_refused() -> None:
    with pytest.raises(DeepSightError, match="Expected classes"):
        hypotheses_table([GAP], np.array([0]), np.array([0]), ("a", "b"))
