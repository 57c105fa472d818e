"""The winner of a trial is diagnosed with the run's own findings about labels."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence, Table
from deepsight.core.predictions import Predictions
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.workflows.treat import leakage_of, ledger_under

LABELS = np.repeat(np.arange(3), 40).astype(np.int64)
IDS = np.arange(500, 500 + len(LABELS))
CLASSES = ("bird", "cat", "dog")


def says(predicted: NDArray[np.int64], width: int) -> Predictions:
    """Sure of these classes, with features of this width."""
    features = np.zeros((len(LABELS), width), dtype=np.float32)
    return Predictions(IDS, LABELS, np.eye(3, dtype=np.float32)[predicted] * 9, features)


def table(**columns: object) -> Table:
    frame = pl.DataFrame({"split": ["test"] * len(IDS), "index": IDS, **columns})
    return Table(frame, dict.fromkeys(frame.columns, "as made here"), len(IDS), "made here", "Made here.")


@pytest.fixture
def labels() -> Evidence:
    """Only the first ten images have a wrong label, and none is unclear."""
    wrong = np.arange(len(IDS)) < 10
    given = [CLASSES[c] for c in LABELS]
    return Evidence(
        {
            "label_errors": table(
                given=given, suggested=["dog"] * len(IDS), score=np.where(wrong, 0.95, 0.1), flagged=wrong
            ),
            "ambiguity": table(score=np.zeros(len(IDS)), surest_differ=np.zeros(len(IDS))),
        }
    )


def test_another_model_is_asked_about_the_same_wrong_labels(labels: Evidence) -> None:
    """Its features may be of another width: what the run found about labels is not asked of them again."""
    images = np.zeros((len(IDS), 32, 32, 3), dtype=np.uint8)
    test = Dataset(images, LABELS, CLASSES, IDS, "test")
    inputs = ExaminationInputs(
        test=test, predictions=says(LABELS, 8), validation=None, train=None, others={},
        conflicting_twins=None, hypotheses=(), seed=0,
    )  # fmt: skip
    other = LABELS.copy()
    other[:5], other[100:103] = 2, 0
    found = ledger_under(inputs, labels, says(other, 5)).frame
    assert found["index"].to_list() == [*range(500, 505), *range(600, 603)]
    causes = dict(found.select("index", "cause").iter_rows())
    assert {causes[i] for i in range(500, 505)} == {"label error"}
    assert "label error" not in {causes[i] for i in range(600, 603)}


def with_copies(kept: list[int]) -> Any:
    """A run whose rows 3 and 5 of train and 8 of validation repeat test images; `kept` is trained on."""
    pairs = pl.DataFrame(
        {
            "split_a": ["test", "test", "test", "train"], "index_a": [70, 71, 72, 1],
            "split_b": ["train", "train", "val", "train"], "index_b": [3, 5, 8, 2],
            "flagged": [True] * 4, "cluster": [0, 1, 2, 3],
        }
    )  # fmt: skip
    found = Table(pairs, dict.fromkeys(pairs.columns, "as made"), 80, "made here", "Made here.")
    images = np.zeros((20, 8, 8, 3), dtype=np.uint8)
    official = Dataset(images, np.arange(20) % 3, CLASSES, np.arange(20), "train")
    splits = SimpleNamespace(train=official.select(np.array(kept)))
    run = SimpleNamespace(evidence=lambda: {"duplicates": found})
    return SimpleNamespace(official={"train": official}, splits=splits, run=run)


def test_the_copies_that_were_dropped_are_known_with_what_they_repeat() -> None:
    leakage = leakage_of(with_copies([1, 2, 4, 6]))
    assert leakage is not None
    assert leakage.rows.ids.tolist() == [3, 5]
    assert leakage.row_cluster.tolist() == leakage.test_cluster.tolist() == [0, 1]
    assert leakage.test.tolist() == [70, 71]


def test_copies_that_the_model_was_trained_on_measure_nothing() -> None:
    assert leakage_of(with_copies([1, 3, 4])) is None
