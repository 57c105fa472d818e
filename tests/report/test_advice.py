"""Advice follows from the table, and from nothing else."""

from dataclasses import replace

import polars as pl
import pytest

from deepsight.core.evidence import Table
from deepsight.report import advice
from deepsight.report.run_data import RunData
from deepsight.report.sections import OUTLINE

ADVISED = [entry for stage in OUTLINE for entry in stage.entries if callable(entry.advise)]


def with_rows(table: Table, frame: pl.DataFrame) -> Table:
    return replace(table, frame=frame)


@pytest.mark.parametrize("entry", ADVISED, ids=lambda entry: entry.name)
def test_advice_is_a_sentence_whether_or_not_there_are_rows(study: RunData, entry):
    table = study.evidence[entry.name]
    for given in (table, with_rows(table, table.frame.clear())):
        said = entry.advise(given)
        assert said[0].isupper()
        assert said.endswith(".")


def test_failed_splits_forbid_the_score(study: RunData):
    table = study.evidence["split_checks"]
    failed = with_rows(table, table.frame.with_columns(passed=pl.lit(False)))
    assert "Do not quote a score" in advice.split_checks_advice(failed)
    assert "Do not quote" not in advice.split_checks_advice(table)


def test_imbalance_calls_for_weights_and_balance_does_not(study: RunData):
    table = study.evidence["balance"]
    uneven = with_rows(table, table.frame.with_columns(share=pl.int_range(1, pl.len() + 1) / 100))
    assert "weighted loss" in advice.balance_advice(uneven)
    assert advice.balance_advice(table).startswith("Nothing")


def test_the_most_frequent_flagged_pairs_are_to_be_mined(study: RunData):
    table = study.evidence["confusion_pairs"]
    first = table.frame.filter("flagged").sort("count", descending=True).row(0, named=True)
    assert f"{first['true']} → {first['predicted']}" in advice.confusion_pairs_advice(table)
    spread = with_rows(table, table.frame.with_columns(flagged=pl.lit(False)))
    assert advice.confusion_pairs_advice(spread).startswith("Nothing")


def test_a_class_is_called_weak_only_where_it_is_shown_to_be(study: RunData):
    table = study.evidence["recall"]
    low = pl.when(pl.col("class") == "cat").then(0.8).otherwise(pl.col("recall"))
    said = advice.recall_advice(with_rows(table, table.frame.with_columns(recall=low)))
    assert said.startswith("Recall is below that of the other classes for cat (Holm")
    level = with_rows(table, table.frame.with_columns(recall=pl.lit(0.7), n=pl.lit(50)))
    assert advice.recall_advice(level).startswith("No class is shown")


def test_over_and_underconfidence_are_told_apart(study: RunData):
    table = study.evidence["calibration"]
    flipped = with_rows(table, table.frame.rename({"confidence": "accuracy", "accuracy": "confidence"}))
    assert {"overconfident" in advice.calibration_advice(t) for t in (table, flipped)} == {True, False}
    few = with_rows(table, table.frame.with_columns(n=pl.lit(1)))
    assert "not shown to differ" in advice.calibration_advice(few)


def test_only_biased_classes_of_the_swap_test_are_named(study: RunData):
    table = study.evidence["context"]
    said = advice.background_advice(table)
    for name, verdict in table.frame.filter(test="swap").select("class", "verdict").rows():
        assert (name in said.split("backgrounds of ")[1]) == (verdict == "BIASED" and name != "all")


def test_labels_are_to_be_decided_only_where_some_are_flagged(study: RunData):
    table = study.evidence["label_errors"]
    assert advice.label_errors_advice(table).startswith("Decide on each candidate")
    none = with_rows(table, table.frame.with_columns(flagged=pl.lit(False)))
    assert advice.label_errors_advice(none).startswith("Nothing: no label stands out.")


def test_only_a_treatment_that_helps_is_adopted(study: RunData):
    table = study.evidence["treatments"]
    assert advice.treatments_advice(table).startswith("Adopt CutMix")
    none = with_rows(table, table.frame.filter(pl.col("verdict") != "helps"))
    assert advice.treatments_advice(none).startswith("Keep the control")


def test_unforeseen_hypotheses_are_to_be_registered(study: RunData):
    table = study.evidence["hypotheses"]
    unforeseen = int((~table.frame["registered"]).sum())
    assert unforeseen > 0
    assert f"{unforeseen} came up afterwards" in advice.hypotheses_advice(table)


def test_without_a_supported_hypothesis_none_is_to_be_acted_on(study: RunData):
    table = study.evidence["hypotheses"]
    none = with_rows(table, table.frame.with_columns(verdict=pl.lit("undecided")))
    assert advice.hypotheses_advice(none).startswith("None was supported; ")
    some = with_rows(table, table.frame.with_columns(verdict=pl.lit("supported")))
    assert advice.hypotheses_advice(some).startswith("Act on the supported ones")
