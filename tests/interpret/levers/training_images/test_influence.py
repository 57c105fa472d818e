"""Leaving rows out of the closed-form head is exact, and finds planted wrong labels."""

import cv2
import numpy as np
import polars as pl
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Table
from deepsight.images.contact_sheet import ACROSS
from deepsight.interpret.levers.net_effect import net_effect
from deepsight.interpret.levers.outcome import ExaminedImages
from deepsight.interpret.levers.training_images.influence import (
    fit_ridge_head,
    harmful_rows,
    margin_directions,
    most_influential,
    right_without,
    with_ones,
)
from deepsight.interpret.levers.training_images.influence_table import (
    influence_table,
    with_influence,
    with_pictures,
)
from deepsight.interpret.levers.training_images.training_labels import (
    DRAWS,
    heads_without,
    judge_left_out,
    label_retrainings,
    leave_out_flagged,
    leave_out_harmful,
    matched_rows,
)

N, D, K = 200, 8, 3
LISTS = {"evidence": pl.List(pl.String)}


def clouds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(K, size=n)
    centres = np.random.default_rng(99).normal(0, 1.5, (K, D))
    return centres[labels] + rng.normal(0, 1, (n, D)), labels


def refitted(features: np.ndarray, labels: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """The head without these rows, fitted anew under the same penalty."""
    x = with_ones(features)
    penalty = 1e-2 * np.trace(x.T @ x) / (D + 1)
    kept = np.delete(np.arange(len(x)), left_out)
    gram = x[kept].T @ x[kept] + penalty * np.eye(D + 1)
    return np.linalg.solve(gram, x[kept].T @ np.eye(K)[labels[kept]])


def test_leaving_rows_out_equals_fitting_without_them() -> None:
    features, labels = clouds(N, 0)
    test, _ = clouds(20, 1)
    head = fit_ridge_head(features, labels, K)
    rows = np.array([3, 50, 120])
    expected = with_ones(test) @ refitted(features, labels, rows)
    assert head.outputs_without(test, rows) == pytest.approx(expected, abs=1e-9)


def test_influence_of_one_row_is_what_leaving_it_out_adds() -> None:
    features, labels = clouds(N, 0)
    test, given = clouds(5, 1)
    head = fit_ridge_head(features, labels, K)
    directions = margin_directions(given, (given + 1) % K, K)
    found = head.influence(test, directions)
    for row in (0, 77):
        moved = head.outputs_without(test, np.array([row])) - head.outputs(test)
        assert found[:, row] == pytest.approx((moved * directions).sum(axis=1), abs=1e-9)


def test_planted_wrong_labels_are_the_most_harmful() -> None:
    features, labels = clouds(400, 0)
    wrong = np.arange(0, 400, 10)
    spoilt = labels.copy()
    spoilt[wrong] = (labels[wrong] + 1) % K
    head = fit_ridge_head(features, spoilt, K)
    val, given = clouds(300, 2)
    found = harmful_rows(head, val, given, len(wrong))
    assert np.isin(found, wrong).mean() > 0.6
    clean = fit_ridge_head(features, labels, K)
    assert np.isin(harmful_rows(clean, val, given, len(wrong)), wrong).mean() < 0.4


def test_the_table_names_three_training_images_for_each_error() -> None:
    features, labels = clouds(N, 0)
    test, given = clouds(80, 1)
    head = fit_ridge_head(features, labels, K)
    logits = head.outputs(test)
    examined = ExaminedImages(np.arange(80), given, logits, np.ones(80), 80)
    table = influence_table(
        examined, head, test, np.arange(N) + 1000, labels, np.arange(80) + 5, ("a", "b", "c")
    )
    assert len(table.frame) == 3 * examined.wrong.sum()
    assert table.frame["train_index"].min() >= 1000
    pixels = np.arange(N, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)
    train = Dataset(pixels, labels, ("a", "b", "c"), np.arange(N) + 1000, "train")
    placed, sheet = with_pictures(table, train)
    assert placed.frame["train_index"].to_list() == table.frame["train_index"].to_list()
    picture = cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR)
    for index, tile in placed.frame.select("train_index", "tile").rows():
        assert picture[8 * (tile // ACROSS) + 4, 8 * (tile % ACROSS) + 4, 0] == index - 1000
    rows, moved = most_influential(head, test, margin_directions(given, (given + 1) % K, K), 3)
    assert (np.diff(moved, axis=1) <= 0).all()
    assert set(right_without(head, test, given, rows)) <= {0.0, 1.0}


def test_an_error_that_is_mended_names_the_training_images() -> None:
    units = {"index": "row", "evidence": "words"}
    frame = pl.DataFrame({"index": [4, 5], "evidence": [["views: right"], []]}, schema_overrides=LISTS)
    behind = pl.DataFrame({"index": [5, 5, 4], "train_index": [8, 9, 8], "mended": [True, True, False]})
    found = with_influence(
        Table(frame, units, 2, "m", "c"), Table(behind, dict.fromkeys(behind.columns, "x"), 2, "m", "c")
    )
    assert found.frame["evidence"].to_list() == [
        ["views: right"],
        ["fixed by leaving out training images 8, 9"],
    ]


def test_what_is_left_out_is_matched_class_by_class() -> None:
    labels = np.repeat(np.arange(3), 30)
    flagged = np.zeros(90, dtype=bool)
    flagged[[1, 2, 40]] = True
    left_out = leave_out_flagged(labels, flagged, np.arange(90), seed=0)
    assert np.bincount(labels[left_out.others], minlength=3).tolist() == [2, 1, 0]
    assert not np.isin(left_out.others, left_out.suspects).any()
    assert len(matched_rows(labels, np.array([5]), np.array([5, 6]), seed=0)) == 1
    arm, control = label_retrainings(np.arange(90), left_out, 2, seed=0)
    assert {len(each.rows) for each in (*arm, *control)} == {87}
    assert [each.seed for each in arm] == [each.seed for each in control]
    few = leave_out_flagged(labels, flagged, np.arange(45), seed=0)
    assert few.dilution == pytest.approx(0.5)  # twice as many suspects at hand as among all
    harmful = leave_out_harmful(labels, np.array([3]), np.arange(90), seed=0)
    assert harmful.suspects.tolist() == [3]


def test_leaving_out_planted_wrong_labels_helps_more_than_leaving_out_others() -> None:
    features, labels = clouds(300, 0)
    wrong = np.arange(0, 300, 4)
    spoilt = labels.copy()
    spoilt[wrong] = (labels[wrong] + 1) % K
    test, given = clouds(500, 3)

    def trained(rows: np.ndarray) -> np.ndarray:
        return fit_ridge_head(features[rows], spoilt[rows], K).outputs(test)

    everything = np.arange(300)
    examined = ExaminedImages(np.arange(500), given, trained(everything), np.ones(500), 500)
    flagged = np.isin(everything, wrong)
    left_out = leave_out_flagged(spoilt, flagged, everything, seed=0)
    arm, control = label_retrainings(everything, left_out, 1, seed=0)
    found = judge_left_out(examined, left_out, [trained(arm[0].rows)], [trained(control[0].rows)])
    assert net_effect(found).net > 0


def test_a_head_without_planted_wrong_labels_gains_and_without_random_ones_nothing() -> None:
    features, labels = clouds(400, 0)
    wrong = np.arange(0, 400, 5)
    spoilt = labels.copy()
    spoilt[wrong] = (labels[wrong] + 1) % K
    test, given = clouds(800, 3)
    rows = np.arange(400)
    head = fit_ridge_head(features, spoilt, K)
    examined = ExaminedImages(np.arange(800), given, head.outputs(test), np.ones(800), 800)
    for flagged in (np.isin(rows, wrong), np.isin(rows, rows[::7])):
        left_out = leave_out_flagged(spoilt, flagged, rows, seed=0)
        arm, control = heads_without(head, test, rows, left_out, spoilt, seed=0)
        assert len(control) == DRAWS
        found = net_effect(judge_left_out(examined, left_out, arm, control, trained="a head"))
        assert (found.low > 0) == bool(flagged[wrong].all())
