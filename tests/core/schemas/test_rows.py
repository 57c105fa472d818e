"""Rows that a run does not have, in tables, splits and predictions, are refused with what was expected."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.predictions import Predictions
from deepsight.core.run import Run
from deepsight.core.schemas.rows import (
    largest_row,
    require_known_classes,
    require_predictions_of,
    require_rows,
    require_rows_of_images,
)

SPLITS = {"train": np.arange(6), "val": np.arange(6, 9), "test": np.arange(4)}


def said(ids: np.ndarray, k: int = 3) -> Predictions:
    n = len(ids)
    return Predictions(ids, np.zeros(n, np.int64), np.zeros((n, k), np.float32), np.ones((n, 2), np.float16))


def run_of_three_classes(folder: Path) -> Run:
    run = Run.create(folder / "run", {"data": "cifar10"})
    run.save_json("data.json", {"classes": ["a", "b", "c"]})
    run.save_splits(SPLITS)
    return run


def test_rows_of_a_split_stand_there_once() -> None:
    assert require_rows(np.array([3, 1], np.int32)).tolist() == [3, 1]
    for odd in (np.array([-1]), np.array([0.5]), np.array([["a"]]), np.zeros((1, 1), int)):
        with pytest.raises(ValueError, match="whole numbers of at least 0"):
            require_rows(odd)
    with pytest.raises(ValueError, match="each row once"):
        require_rows(np.array([1, 1]))


def test_a_table_names_images_of_the_run() -> None:
    images = pl.DataFrame({"index": [0, 1, 0, 7]})
    assert largest_row(images) == 7
    assert largest_row(images.head(3)) == 2  # parts that are examined together are numbered anew
    assert largest_row(None) is None
    fitting = pl.DataFrame({"index_a": [0, 7], "examples": [[1], []]})
    require_rows_of_images(fitting, 7)
    require_rows_of_images(fitting.with_columns(index_a=pl.Series([0, 10**9])), None)
    for column, values in (("index_a", [0, 8]), ("examples", [[8], [1]]), ("train_index", [9, None])):
        with pytest.raises(ValueError, match=f"its column '{column}' should hold rows of 0 to 7, not [89]"):
            require_rows_of_images(fitting.with_columns(pl.Series(column, values)), 7)


@pytest.mark.parametrize(
    ("split", "ids"), [("val", [6, 7, 8]), ("test", range(9)), ("train", [2, 4]), ("x", [8])]
)
def test_predictions_of_the_split_are_read_as_they_were_stored(
    tmp_path: Path, split: str, ids: range | list[int]
) -> None:
    """Folds predict every image, and of train a part is asked for."""
    run, stored = run_of_three_classes(tmp_path), said(np.array(ids))
    same = {"split": "train", "source": "train", "file": "a.png", "class": "a", "group": 0, "digest": "0"}
    run.save_images(pl.DataFrame({"index": range(9)}).with_columns(**{k: pl.lit(v) for k, v in same.items()}))
    run.save_predictions(split, stored)
    read = run.predictions(split)
    assert run.largest_row() == 8
    assert read.ids.tolist() == list(ids)
    assert read.features.tolist() == stored.features.tolist()


@pytest.mark.parametrize(
    ("split", "ids", "k", "why"),
    [
        ("val", [6, 7], 3, "1 are missing and 0 are not"),
        ("val", [5, 6, 7, 8], 3, "0 are missing and 1 are not"),
        ("test", [0, 1, 2], 3, "1 are missing"), ("train", [0, 7], 3, "1 are not of that split"),
        ("test", [0, 1, 2, 3, 9], 3, "rows of 0 to 8, not 9"), ("test", [0, 1, 2, 2], 3, "each row once"),
        ("test", [0, 1, 2, 3], 4, "3 classes, not of 4"),
    ],
)  # fmt: skip
def test_predictions_of_other_images_or_classes_are_refused(
    split: str, ids: list[int], k: int, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        require_predictions_of(said(np.array(ids), k), split, largest=8, splits=SPLITS, classes=3)


def test_a_table_names_classes_of_the_run() -> None:
    frame = pl.DataFrame({"true": ["a", "b"], "predicted": ["b", None], "class": ["all", "x"]})
    require_known_classes(frame, ["a", "b"])
    require_known_classes(frame.with_columns(true=pl.lit("x")), [])
    with pytest.raises(ValueError, match="its column 'true' should hold classes of the data, not 'x'"):
        require_known_classes(frame.with_columns(true=pl.Series(["a", "x"])), ["a", "b"])


def test_logits_and_features_are_such_that_one_can_compute_with_them() -> None:
    fine = said(SPLITS["test"])
    for odd in (
        Predictions(fine.ids, fine.labels, np.full((4, 3), 3e38, np.float32), fine.features),
        Predictions(fine.ids, fine.labels, fine.logits, np.full((4, 2), np.inf, np.float16)),
    ):
        with pytest.raises(ValueError, match=r"should (lie within|be finite)"):
            require_predictions_of(odd, "test", largest=8, splits=SPLITS, classes=3)


def test_a_run_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    run = run_of_three_classes(tmp_path)
    run.save_predictions("test", said(SPLITS["test"]))
    assert len(run.predictions("test")) == 4
    run.save_predictions("val", said(SPLITS["test"]))
    with pytest.raises(
        DeepSightError, match=r"predictions/val.npz in .* splits.npz.*make it again: deepsight"
    ):
        run.predictions("val")


def test_features_that_float16_cannot_hold_stay_as_they_are(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"data": "cifar10"})
    large = Predictions(
        np.arange(1), np.zeros(1, int), np.zeros((1, 2), np.float32), np.full((1, 2), 1e6, np.float32)
    )
    run.save_predictions("test", large)
    assert run.predictions("test").features.tolist() == [[1e6, 1e6]]
