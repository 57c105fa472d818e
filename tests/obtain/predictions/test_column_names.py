"""A name of scores means the same in a table with a row per class and in one of the best few."""

import polars as pl
import pytest

from deepsight.obtain.predictions.column_names import (
    CONFIDENCES,
    LOGITS,
    SHORT_CONFIDENCES,
    kind_of_scores,
    one_of_two,
)
from deepsight.obtain.predictions.long_table import widened_table
from deepsight.obtain.predictions.ranked import ranking_in_columns, ranking_in_lists

CLASSES = ("cat", "dog")


@pytest.mark.parametrize("name", [*CONFIDENCES, *SHORT_CONFIDENCES])
def test_scores_of_a_name_are_found_in_each_layout(name: str) -> None:
    long = pl.DataFrame(
        {"file": ["a", "a", "b", "b"], "class": ["cat", "dog"] * 2, name: [0.9, 0.1, 0.2, 0.8]}
    )
    columns = widened_table(long, CLASSES).columns
    before = "score_" if name == "score" else "prob_"
    assert columns == ["file", f"{before}cat", f"{before}dog"]
    best = {"file": ["a"], "label_1": ["cat"], f"{name}_1": [0.9], "label_2": ["dog"], f"{name}_2": [0.1]}
    ranking = ranking_in_columns(pl.DataFrame(best), CLASSES)
    assert ranking is not None
    assert ranking.scores == [[0.9, 0.1]]
    lists = ranking_in_lists(pl.DataFrame({"top2": [["cat", "dog"]], f"top2_{name}s": [[0.9, 0.1]]}), CLASSES)
    assert lists is not None
    assert lists.scores == [[0.9, 0.1]]


@pytest.mark.parametrize("name", LOGITS)
def test_logits_are_logits_in_each_layout(name: str) -> None:
    long = pl.DataFrame({"file": ["a", "a"], "class": ["cat", "dog"], name: [2.5, -1.0]})
    assert widened_table(long, CLASSES).columns == ["file", "logit_cat", "logit_dog"]
    assert kind_of_scores(f" {name.upper()} ") == "logits"
    assert one_of_two(pl.DataFrame({"logit": [0.3]}), CLASSES) == ("logit", 1, "logits")
    assert one_of_two(pl.DataFrame({"softmax": [0.3]}), CLASSES) == ("softmax", 1, "probs")
    assert one_of_two(pl.DataFrame({"y_score": [0.3]}), CLASSES) == ("y_score", 1, "unnamed")


def test_other_columns_are_no_scores() -> None:
    frame = pl.DataFrame({"file": ["a", "a"], "class": ["cat", "dog"], "weight": [0.3, 0.7]})
    assert widened_table(frame, CLASSES).columns == frame.columns
