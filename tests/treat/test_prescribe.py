"""The prescription: what was seen to help, and nothing else."""

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.treat.prescribe import prescription_table
from deepsight.treat.treatments.catalogue import confirmed_levers


def test_where_no_lever_was_tried_nothing_is_prescribed() -> None:
    found = prescription_table(None)
    assert found.frame.is_empty()
    assert "no lever was tried" in found.caption


def tried(*rows: tuple[str, str, float, str]) -> Table:
    """Levers as rows of name, treatment, net share and verdict."""
    frame = pl.DataFrame(
        [
            {"name": name, "treatment": treatment, "net": net, "points": net / 10, "verdict": verdict,
             "arm": "the arm", "control": "the control"}
            for name, treatment, net, verdict in rows
        ]
    )  # fmt: skip
    return Table(frame, dict.fromkeys(frame.columns, "as made here"), 100, "made here", "Made here.")


def test_levers_that_helped_are_prescribed_and_rules_are_left_out() -> None:
    levers = tried(
        ("a deeper backbone", "deeper_backbone", 0.1, "helps"),
        ("96 px", "higher_resolution", 0.2, "helps"),
        ("averaging several trainings", "", 0.3, "helps"),
        ("other backgrounds", "cutmix", 0.05, "no difference shown"),
    )
    table = prescription_table(levers)
    assert table.frame["treatment"].to_list() == ["higher_resolution", "deeper_backbone"]
    assert table.frame["gain_at_most"].to_list() == [0.02, 0.01]
    found = confirmed_levers(
        ["higher_resolution", "mixup"], Evidence({"levers": levers, "prescription": table})
    )
    assert found == ["higher_resolution"]


def test_without_a_lever_that_helped_nothing_is_prescribed() -> None:
    table = prescription_table(tried(("96 px", "higher_resolution", 0.0, "no difference shown")))
    assert table.frame.is_empty()
    assert "No lever" in table.caption
