"""The forest plot of the levers."""

from typing import Any

import polars as pl

from deepsight.core.evidence import Table
from deepsight.interpret.levers.outcome import PLACEBO
from deepsight.report.figures.plot import Axis, Figure, Panel
from deepsight.report.figures.style import (
    GREEN,
    GREY,
    SKY,
    VERMILLION,
    dots,
    in_points,
    points_hint,
    row_labels,
)

LOOKS: dict[str, dict[str, Any]] = {
    "helps": {"tone": GREEN, "symbol": "circle"},
    "harms": {"tone": VERMILLION, "symbol": "x"},
    "no difference shown": {"tone": GREY, "symbol": "circle", "hollow": True},
    PLACEBO: {"tone": SKY, "symbol": "diamond"},
}


def levers_figure(table: Table) -> Figure:
    """The net share of errors that each lever fixes, with its interval, the largest first; placebos last."""
    ordered = table.frame.sort(pl.col("group") == PLACEBO, -pl.col("net"), maintain_order=True)
    rows = in_points(ordered.to_dicts(), "net", "ci_low", "ci_high")
    for row in rows:
        row["label"] = row["name"]
        row["look"] = PLACEBO if row["group"] == PLACEBO else row["verdict"]
        row["hint"] = f"{points_hint(row, 'net')} of the errors; {row['verdict']}"
    series = []
    for name, style in LOOKS.items():
        these = [row for row in rows if row["look"] == name]
        if these:
            series.append(dots(these, "net", name=name, size=6, **style))
    axis = Axis("net share of the errors fixed, in %", unit="points")
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series, rules=(0,))])
