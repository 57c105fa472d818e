"""Figures of the Treat stage."""

from typing import Any

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Dots, Figure, Panel
from deepsight.report.figures.style import GREEN, GREY, VERMILLION, dots, in_points, points_hint, row_labels
from deepsight.report.formatting import count_text, value_text

VERDICTS: dict[str, dict[str, Any]] = {
    "helps": {"tone": GREEN, "symbol": "circle"},
    "harms": {"tone": VERMILLION, "symbol": "x"},
    "no difference shown": {"tone": GREY, "symbol": "circle", "hollow": True},
}
MACRO = {"value": "delta_macro_f1", "ci_low": "ci_low", "ci_high": "ci_high", "verdict": "verdict"}
TARGET = {
    "value": "delta_target",
    "ci_low": "target_ci_low",
    "ci_high": "target_ci_high",
    "verdict": "target_verdict",
}


def treatments_figure(table: Table) -> Figure:
    """The effect of each treatment on macro-F1 and on its own target, as forest plots."""
    ranked = table.frame.sort("delta_macro_f1", descending=True).to_dicts()
    for row in ranked:
        row["label"] = value_text(row["name"])
    shown = {"effect on macro-F1": MACRO}
    if set(TARGET.values()) <= set(table.frame.columns):
        shown["effect on its target"] = TARGET
    panels = []
    for title, names in shown.items():
        rows = [{**{new: row[old] for new, old in names.items()}, "label": row["label"]} for row in ranked]
        axis = Axis("points above the control", unit="points")
        panels.append(Panel(axis, Axis(categories=row_labels(ranked)), verdict_dots(rows), title, rules=(0,)))
    return Figure(panels)


def ledger_change_figure(table: Table) -> Figure:
    """The errors of each cause for the control and for the treatment that helped most."""
    rows = table.frame.sort("n", descending=True).to_dicts()
    for row in rows:
        row["label"] = row["cause"]
    series = [
        Dots(name, [row[column] for row in rows], [row["label"] for row in rows], tone, "circle",
             hollow=hollow,
             hints=[f"{row['label']}: {count_text(row[column])} errors, {name}" for row in rows])
        for name, column, tone, hollow in (("control", "n", GREY, True), ("treated", "n_after", GREEN, False))
    ]  # fmt: skip
    axis = Axis("test errors", unit="count", bounds=(0, None))
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series)])


def verdict_dots(rows: list[dict[str, Any]]) -> list[Dots]:
    """A series of dots for each verdict."""
    scaled = in_points(rows, "value", "ci_low", "ci_high")
    for row in scaled:
        row["hint"] = points_hint(row, "value")
    series = []
    for verdict, style in VERDICTS.items():
        these = [row for row in scaled if row["verdict"] == verdict]
        if these:
            series.append(dots(these, "value", name=verdict, size=6, **style))
    return series
