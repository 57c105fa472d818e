"""Figures of the iNterpret stage: faithfulness of the maps, and the background test."""

from collections.abc import Mapping
from typing import Any

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Band, Dots, Figure, Panel
from deepsight.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    SKY,
    VERMILLION,
    Row,
    bracketed_interval,
    dots,
    in_points,
    points_hint,
    row_labels,
    share_hint,
)
from deepsight.report.formatting import cell_text, percent_text

Kinds = Mapping[Any, dict[str, Any]]
CHECKS: Kinds = {
    True: {"name": "passed", "tone": GREEN, "symbol": "circle"},
    False: {"name": "failed", "tone": VERMILLION, "symbol": "x"},
    None: {"name": "for comparison only", "tone": GREY, "symbol": "circle", "hollow": True},
}
VERDICTS: Kinds = {
    "BIASED": {"name": "BIASED", "tone": VERMILLION, "symbol": "x"},
    "CLEAR": {"name": "CLEAR", "tone": GREEN, "symbol": "circle"},
    "INCONCLUSIVE": {"name": "INCONCLUSIVE", "tone": GREY, "symbol": "circle", "hollow": True},
    "control": {"name": "control", "tone": SKY, "symbol": "diamond"},
}
BOUND = 5.0  # points: the margin of the verdicts


def faithfulness_figure(table: Table) -> Figure:
    """Each check of the maps with its interval and the baseline that it had to beat."""
    rows = table.frame.to_dicts()
    for row in rows:
        row["label"] = row["check"]
        interval = bracketed_interval(cell_text(row["ci_low"]), cell_text(row["ci_high"]))
        row["hint"] = (
            f"{row['check']}: {cell_text(row['value'])}{interval}, baseline {cell_text(row['baseline'])}"
        )
    baseline = Dots(
        "baseline", [row["baseline"] for row in rows], [row["label"] for row in rows], GREY, "tick", size=6
    )
    series = [*dots_by_kind(rows, "value", by="passed", kinds=CHECKS), baseline]
    return Figure([Panel(Axis("value of the check"), Axis(categories=row_labels(rows)), series)])


def background_figure(table: Table) -> Figure:
    """The effect of the background on each class with its verdict, controls below; the band is ± 5 points."""
    rows = in_points(table.frame.to_dicts(), "effect", "ci_low", "ci_high")
    for row in rows:
        row["kind"] = row["verdict"] if row["verdict"] in VERDICTS else "control"
        row["label"] = background_row_name(row)
        note = f"; {row['note']}" if row.get("note") else ""
        row["hint"] = f"{points_hint(row, 'effect')}, {row['verdict']}{note}"
        # A difference of two shares lies within ±100; the ends of wide intervals (rule of three) may not.
        row["ci_low"], row["ci_high"] = (
            end and min(max(end, -100), 100) for end in (row["ci_low"], row["ci_high"])
        )
    rows.sort(key=lambda row: row["kind"] == "control")
    axis = Axis("effect in points (band: ± 5)", unit="points")
    series = dots_by_kind(rows, "effect", by="kind", kinds=VERDICTS)
    band = Band(-BOUND, BOUND)
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series, bands=[band], rules=(0,))])


def object_share_figure(table: Table) -> Figure:
    """The share of the evidence on the object, next to the share of the image that the object covers."""
    rows = table.frame.to_dicts()
    for row in rows:
        row["label"] = "all classes" if row["class"] == "all" else row["class"]
        row["hint"] = (
            f"{share_hint(row, 'object_share')}; the object covers {percent_text(row['object_area'])}"
        )
    covered = [row["object_area"] for row in rows]
    names = [row["label"] for row in rows]
    series = [
        dots(rows, "object_share", name="evidence on the object", tone=BLUE, size=6),
        Dots("share of the image that the object covers", covered, names, GREY, "tick", size=6),
    ]
    axis = Axis("share", unit="share", bounds=(0, None))
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series)])


def background_row_name(row: Row) -> str:
    """The label of a row of the context table."""
    if row["test"] == "swap":
        return "all classes" if row["class"] == "all" else str(row["class"])
    return str(row["test"]) if row["class"] == "all" else f"{row['test']}: {row['class']}"


def dots_by_kind(rows: list[Row], value: str, *, by: str, kinds: Kinds) -> list[Dots]:
    """A series of dots for each kind, with its own colour and symbol."""
    found = []
    for kind, style in kinds.items():
        these = [row for row in rows if row[by] == kind]
        if these:
            found.append(dots(these, value, size=6, **style))
    return found
