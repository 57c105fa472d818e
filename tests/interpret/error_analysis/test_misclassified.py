"""What is looked at stands where the table says."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from deepsight.interpret.error_analysis.misclassified import misclassified_table, suspected_labels

CLASSES = ("a", "b", "c")


@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_errors_are_exactly_the_misclassified(seed: int, n: int):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    probabilities = rng.dirichlet(np.ones(3), n)
    ids = rng.permutation(1000)[:n]
    frame = misclassified_table(ids, labels, probabilities, CLASSES).frame
    assert set(frame["index"]) == {
        i for i, y, p in zip(ids, labels, probabilities, strict=True) if np.argmax(p) != y
    }
    assert frame["confidence"].is_sorted(descending=True)
    assert (frame["true"] != frame["predicted"]).all()


def test_what_the_limit_leaves_out_is_the_least_confident_and_said():
    probabilities = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.8, 0.2, 0]])
    table = misclassified_table(np.arange(3), np.ones(3, dtype=np.int64), probabilities, CLASSES, limit=2)
    assert table.frame["index"].to_list() == [0, 2]
    assert "the 2 most confident" in table.caption


def test_suspects_are_the_flagged_ones_surest_first():
    frame = pl.DataFrame(
        {
            "split": ["test"] * 4,
            "index": [1, 2, 3, 4],
            "score": [0.2, 0.9, 0.8, 0.95],
            "flagged": [True, True, True, False],
        }
    )
    assert suspected_labels(frame)["index"].to_list() == [2, 3, 1]
    assert suspected_labels(frame, limit=1)["index"].to_list() == [2]
