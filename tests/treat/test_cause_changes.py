"""The ledger of two models, side by side."""

import numpy as np

from deepsight.core.evidence import Table
from deepsight.core.predictions import Predictions
from deepsight.interpret.error_analysis.causes import Detectors, ledger_table
from deepsight.treat.cause_changes import ledger_change_table
from made_arms import CLASSES, noisy, predictions

LABELS = np.repeat(np.arange(3), 50).astype(np.int64)


def make_ledger(each: Predictions) -> Table:
    """Every error of class 0 is called a label error."""
    support = np.where(each.labels == 0, 0.9, 0.1)
    return ledger_table(each.labels, each.predicted, CLASSES, each.ids, Detectors(label_error=support))


def test_errors_are_counted_by_cause_before_and_after() -> None:
    before, after = noisy(LABELS, [0.4, 0.2, 0.2], 0), noisy(LABELS, [0.0, 0.2, 0.2], 0)
    table = ledger_change_table(predictions(LABELS, before), predictions(LABELS, after), make_ledger)
    row = table.frame.filter(cause="label error").row(0, named=True)
    assert row["n"] == (before[:50] != 0).sum()
    assert (row["n_after"], row["difference"]) == (0, -row["n"])
    assert table.frame["n"].sum() == (before != LABELS).sum()
    assert "label error" in table.caption


def test_without_a_fall_it_says_so() -> None:
    same = predictions(LABELS, noisy(LABELS, [0.2] * 3, 0))
    assert "no cause shrank" in ledger_change_table(same, same, make_ledger).caption
