"""Figures of the iNterpret stage: whether the maps are faithful, and whether the context decides."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from deepsight.core.evidence import Table
from deepsight.report.figures.style import (
    GREEN,
    GREY,
    SKY,
    VERMILLION,
    chart,
    dots,
    in_points,
    list_height,
    top_down,
)

Kinds = Mapping[Any, tuple[str, str, str]]
CHECKS: Kinds = {
    True: ("passed", GREEN, "circle"),
    False: ("failed", VERMILLION, "x"),
    None: ("not judged", GREY, "circle-open"),
}
VERDICTS: Kinds = {
    "BIASED": ("BIASED", VERMILLION, "x"),
    "CLEAR": ("CLEAR", GREEN, "circle"),
    "INCONCLUSIVE": ("INCONCLUSIVE", GREY, "circle-open"),
    "control": ("control", SKY, "diamond"),
}


def faithfulness(table: Table) -> go.Figure:
    """Each check of the maps with its interval, and the baseline that it had to beat."""
    rows = table.frame.to_dicts()
    figure = chart(height=list_height(len(rows), each=36))
    add_by(figure, rows, "value", label="check", by="passed", kinds=CHECKS)
    figure.add_scatter(
        x=[row["baseline"] for row in rows],
        y=[row["check"] for row in rows],
        mode="markers",
        name="baseline",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 2, "color": GREY}},
    )
    figure.update_xaxes(title={"text": "value of the check"})
    return figure.update_yaxes(top_down([row["check"] for row in rows]))


def context(table: Table) -> go.Figure:
    """The effect of the background by class, with the verdict and the bound of 5 points; controls below."""
    rows = in_points(table.frame.to_dicts(), "effect", "ci_low", "ci_high")
    for row in rows:
        judged = row["verdict"] in VERDICTS
        row["kind"] = row["verdict"] if judged else "control"
        row["label"] = f"{row['class']}" if row["test"] == "swap" else f"{row['test']} ({row['class']})"
    rows.sort(key=lambda row: row["kind"] == "control")
    figure = chart(height=list_height(len(rows)))
    add_by(figure, rows, "effect", label="label", by="kind", kinds=VERDICTS)
    figure.add_vrect(x0=-5, x1=5, fillcolor=GREY, opacity=0.1, line_width=0, layer="below")
    figure.update_xaxes(title={"text": "points (band: ± 5)"}, tickformat="+")
    return figure.update_yaxes(top_down([row["label"] for row in rows]))


def add_by(
    figure: go.Figure, rows: list[dict[str, Any]], value: str, *, label: str, by: str, kinds: Kinds
) -> None:
    """A series of dots for each kind, with its own colour and symbol."""
    for kind, (name, colour, symbol) in kinds.items():
        these = [row for row in rows if row[by] == kind]
        if these:
            labels = [row[label] for row in these]
            figure.add_trace(dots(these, value, labels, name=name, colour=colour, symbol=symbol, size=10))
