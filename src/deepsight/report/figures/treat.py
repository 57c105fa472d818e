"""Figures of the Treat stage."""

from typing import Any

import plotly.graph_objects as go

from deepsight.core.evidence import Table
from deepsight.report.figures.style import (
    GREEN,
    GREY,
    VERMILLION,
    dots,
    in_points,
    list_height,
    panels,
    top_down,
)

VERDICTS = {
    "helps": (GREEN, "circle"),
    "harms": (VERMILLION, "x"),
    "no difference shown": (GREY, "circle-open"),
}
MACRO = {"value": "delta_macro_f1", "ci_low": "ci_low", "ci_high": "ci_high", "verdict": "verdict"}
TARGET = {
    "value": "delta_target",
    "ci_low": "target_ci_low",
    "ci_high": "target_ci_high",
    "verdict": "target_verdict",
}


def treatments(table: Table) -> go.Figure:
    """The effect of each treatment on macro-F1 and on its own target, as forest plots."""
    ranked = table.frame.sort("delta_macro_f1", descending=True).to_dicts()
    shown = {"macro-F1": MACRO}
    if set(TARGET.values()) <= set(table.frame.columns):
        shown["its own target"] = TARGET
    figure = panels(list(shown), height=list_height(len(ranked), each=34))
    for column, names in enumerate(shown.values(), start=1):
        rows = [{**{new: row[old] for new, old in names.items()}, "name": row["name"]} for row in ranked]
        forest(figure, rows, column)
    figure.update_xaxes(title={"text": "points against the control"}, tickformat="+")
    return figure.update_yaxes(top_down([label(row) for row in ranked]))


def forest(figure: go.Figure, rows: list[dict[str, Any]], column: int) -> None:
    """One panel: a series of dots for each verdict, and the line of no effect."""
    scaled = in_points(rows, "value", "ci_low", "ci_high")
    for verdict, (colour, symbol) in VERDICTS.items():
        these = [row for row in scaled if row["verdict"] == verdict]
        names = [label(row) for row in these]
        series = dots(these, "value", names, name=verdict, colour=colour, symbol=symbol, size=11)
        series.update(legendgroup=verdict, showlegend=column == 1)
        figure.add_trace(series, row=1, col=column)
    figure.add_vline(x=0, line={"color": GREY, "width": 1}, row=1, col=column)


def label(row: dict[str, Any]) -> str:
    """The name of a treatment in words."""
    return str(row["name"]).replace("_", " ")
