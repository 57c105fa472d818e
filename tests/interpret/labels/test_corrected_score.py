"""The score under three readings of the labels."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from deepsight.interpret.labels.corrected_score import corrected_score_table

LABELS = np.tile([0, 1, 2], 40)
RNG = np.random.default_rng(0)
PREDICTED = np.where(RNG.random(120) < 0.8, LABELS, RNG.integers(3, size=120))
FLAGGED = np.arange(120) % 11 == 0
SUGGESTED = np.where(np.arange(120) % 2 == 0, PREDICTED, (LABELS + 1) % 3)


def test_each_reading_is_the_macro_f1_of_scikit_learn() -> None:
    frame = corrected_score_table(LABELS, PREDICTED, FLAGGED, SUGGESTED, 3).frame
    corrected = np.where(FLAGGED, SUGGESTED, LABELS)
    assert frame["macro_f1"].to_list() == pytest.approx(
        [
            f1_score(LABELS, PREDICTED, average="macro"),
            f1_score(LABELS[~FLAGGED], PREDICTED[~FLAGGED], average="macro"),
            f1_score(corrected, PREDICTED, average="macro"),
        ]
    )
    assert frame["n"].to_list() == [120, 109, 120]
    assert (frame["ci_low"] < frame["macro_f1"]).all()
    assert (frame["macro_f1"] < frame["ci_high"]).all()


def test_without_flags_the_three_agree() -> None:
    table = corrected_score_table(LABELS, PREDICTED, np.zeros(120, dtype=bool), SUGGESTED, 3)
    assert table.frame["macro_f1"].n_unique() == 1
    assert table.caption.startswith("No label is flagged, so macro-F1 stays ")


def test_the_labels_are_left_alone() -> None:
    before = LABELS.copy()
    corrected_score_table(LABELS, PREDICTED, FLAGGED, SUGGESTED, 3)
    assert np.array_equal(LABELS, before)
