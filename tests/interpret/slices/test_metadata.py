"""A planted difference between the values of a column is found, and none where there is none."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2_contingency

from deepsight.interpret.slices.metadata import metadata_scores_table, property_columns


def answers(rates: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of three classes in turn, and predictions that are wrong at these rates."""
    rng = np.random.default_rng(seed)
    labels = np.arange(len(rates)) % 3
    return labels, np.where(rng.random(len(rates)) < rates, (labels + 1) % 3, labels)


SEX = np.array(["f", "m"])[np.random.default_rng(5).integers(0, 2, 600)]


def test_a_planted_difference_is_found_and_a_clean_column_is_not():
    labels, predicted = answers(np.where(SEX == "f", 0.35, 0.1))
    clean = np.random.default_rng(1).choice(["a", "b", "c"], 600)
    table = metadata_scores_table(pl.DataFrame({"sex": SEX, "site": clean}), labels, predicted, seed=0)
    assert table is not None
    rows = table.frame.filter(column="sex").sort("value")
    for value, row in zip("fm", rows.iter_rows(named=True), strict=True):
        right = (labels == predicted)[value == SEX]
        assert (row["n"], row["accuracy"]) == (len(right), pytest.approx(right.mean()))
        assert row["ci_low"] < row["accuracy"] < row["ci_high"]
        assert row["macro_f1_low"] <= row["macro_f1"] <= row["macro_f1_high"]
    assert rows["q_value"][0] < 0.01
    assert table.frame.filter(column="site")["q_value"][0] > 0.05
    assert "1 of 2 columns by more than the classes explain: sex" in table.caption


def test_what_the_classes_explain_is_no_difference():
    rates = np.where(np.arange(600) % 3 == 0, 0.5, 0.02)  # class 0 fails, whatever the camera
    labels, predicted = answers(rates)
    camera = np.where(np.random.default_rng(2).random(600) < np.where(labels == 0, 0.9, 0.1), "old", "new")
    table = metadata_scores_table(pl.DataFrame({"camera": camera}), labels, predicted, seed=0)
    assert table.frame["accuracy"].max() - table.frame["accuracy"].min() > 0.25
    assert table.frame["p_value"][0] > 0.05
    right, old = labels == predicted, camera == "old"
    naive = chi2_contingency([[(right & kind).sum(), (~right & kind).sum()] for kind in (old, ~old)])
    assert naive.pvalue < 1e-6


@pytest.mark.slow
def test_the_test_keeps_its_level():
    p = []
    for seed in range(60):
        labels, predicted = answers(np.full(150, 0.2), seed)
        values = np.random.default_rng(1000 + seed).choice(["a", "b"], 150)
        table = metadata_scores_table(pl.DataFrame({"x": values}), labels, predicted, seed=0)
        p.append(table.frame["p_value"][0])
    assert np.mean(np.array(p) <= 0.1) < 0.22


@pytest.mark.slow
def test_groups_that_differ_by_chance_are_no_difference_of_their_values():
    groups, alarms = np.repeat(np.arange(12), 30), np.zeros(2)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        labels, predicted = answers(rng.choice([0.02, 0.6], 12)[groups], seed)
        sex = np.array(["f", "m"])[rng.permutation(12) % 2][groups]
        for i, known in enumerate((None, groups)):
            table = metadata_scores_table(pl.DataFrame({"sex": sex}), labels, predicted, groups=known, seed=0)
            alarms[i] += table.frame["p_value"][0] <= 0.05
    assert alarms[0] >= 6  # as if images were independent
    assert alarms[1] <= 4


def test_numbers_become_quarters_and_names_are_left_out():
    labels, predicted = answers(np.linspace(0, 0.6, 600))
    frame = pl.DataFrame(
        {"age": np.arange(600), "name": [f"p{i}" for i in range(600)], "empty": [None] * 600}
    )
    table = metadata_scores_table(frame, labels, predicted, seed=0)
    assert table.frame["n"].to_list() == [150] * 4
    assert table.frame["q_value"][0] < 0.01
    assert table.caption.endswith("Not compared: name, empty.")
    assert metadata_scores_table(frame.select("name"), labels, predicted, seed=0) is None


def test_slices_see_values_and_numbers():
    frame = pl.DataFrame({"sex": ["f", "m", None], "age": [1, 2, 3], "weight": [0.5, None, 1.5]})
    columns = property_columns(frame)
    assert columns["sex = f"].to_list() == [1.0, 0.0, 0.0]
    assert columns["sex = (empty)"].to_list() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf"), 1e300, None])
def test_what_is_no_number_stands_in_no_search_for_slices(odd):
    numbers = pl.Series([odd, *(float(i) for i in range(40))], dtype=pl.Float64)
    found = property_columns(pl.DataFrame({"age": numbers}))["age"].to_numpy().astype(np.float32)
    assert np.isfinite(found).all()
    assert found[0] == (np.finfo(np.float32).max if odd == 1e300 else 19.5)
    np.testing.assert_array_equal(found[1:], np.arange(40))


def test_a_column_without_a_single_number_is_of_one_value():
    labels, predicted = answers(np.full(60, 0.3))
    scores = metadata_scores_table(pl.DataFrame({"age": [float("nan")] * 60}), labels, predicted, seed=0)
    assert scores is None
    assert property_columns(pl.DataFrame({"age": [None] * 60})).width == 0
