"""The prescription, from a ledger with known shares."""

import polars as pl
import pytest

from deepsight.core.evidence import Evidence, Table
from deepsight.interpret.error_analysis.causes import CAUSES, PLAIN
from deepsight.treat.prescribe import RULES, prescription_table
from deepsight.treat.treatments.catalogue import confirmed_levers


def table(frame: pl.DataFrame, n: int = 100) -> Table:
    return Table(frame, dict.fromkeys(frame.columns, "unit"), n, "method", "caption")


def evidence() -> Evidence:
    shares = pl.DataFrame({"cause": ["label error", "confusable pair", PLAIN], "share": [0.2, 0.5, 0.3]})
    recall = pl.DataFrame(
        {
            "class": ["cat", "bird", "ship"],
            "group": ["", "", ""],
            "n": [100, 100, 100],
            "recall": [0.5, 0.9, 0.9],
            "ci_low": [0.4, 0.8, 0.8],
            "ci_high": [0.6, 0.95, 0.95],
            "precision": [0.9, 0.9, 0.9],
            "f1": [0.6, 0.9, 0.9],
        }
    )
    return Evidence({"ledger_shares": table(shares), "recall": table(recall)})


def test_largest_cause_comes_first_with_its_bound() -> None:
    frame = prescription_table(evidence()).frame
    first = frame.row(0, named=True)
    assert (first["cause"], first["treatment"]) == ("confusable pair", "hard_examples")
    assert first["gain_at_most"] == pytest.approx(0.5 * 70 / 300)
    assert frame["share"].is_sorted(descending=True)


def test_a_weak_class_is_weighed_by_what_it_misses_beyond_the_mean() -> None:
    row = prescription_table(evidence()).frame.row(by_predicate=pl.col("cause") == "weak class", named=True)
    assert row["share"] == pytest.approx((0.7667 - 0.5) * 100 / 70, abs=1e-3)


def test_causes_without_an_error_give_no_row() -> None:
    causes = set(prescription_table(evidence()).frame["cause"])
    assert causes == {"label error", "confusable pair", "model error", "weak class"}


def test_every_cause_of_the_ledger_has_a_rule() -> None:
    assert {rule.cause for rule in RULES} == {*CAUSES.values(), PLAIN, "weak class"}


def test_without_evidence_nothing_is_prescribed() -> None:
    found = prescription_table(Evidence())
    assert len(found.frame) == 0
    assert "no cause is known" in found.caption


def tried(*rows: tuple[str, str, float, str]) -> Evidence:
    """Levers as rows of name, treatment, net share and verdict."""
    frame = pl.DataFrame(
        [
            {"name": name, "treatment": treatment, "net": net, "points": net / 10, "verdict": verdict,
             "arm": "the arm", "control": "the control"}
            for name, treatment, net, verdict in rows
        ]
    )  # fmt: skip
    levers = Table(frame, dict.fromkeys(frame.columns, "as made here"), 100, "made here", "Made here.")
    return Evidence({"levers": levers})


def test_levers_that_helped_are_prescribed_and_rules_are_left_out() -> None:
    evidence = tried(
        ("a deeper backbone", "deeper_backbone", 0.1, "helps"),
        ("96 px", "higher_resolution", 0.2, "helps"),
        ("averaging several trainings", "", 0.3, "helps"),
        ("other backgrounds", "cutmix", 0.05, "no difference shown"),
    )
    table = prescription_table(evidence)
    assert table.frame["treatment"].to_list() == ["higher_resolution", "deeper_backbone"]
    assert table.frame["gain_at_most"].to_list() == [0.02, 0.01]
    found = confirmed_levers(["higher_resolution", "mixup"], evidence.add(prescription=table))
    assert found == ["higher_resolution"]


def test_without_a_lever_that_helped_nothing_is_prescribed() -> None:
    table = prescription_table(tried(("96 px", "higher_resolution", 0.0, "no difference shown")))
    assert table.frame.is_empty()
    assert "No lever" in table.caption
