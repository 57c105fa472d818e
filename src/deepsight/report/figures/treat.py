"""Figures of the Treat stage."""

import plotly.graph_objects as go

from deepsight.core.evidence import Table
from deepsight.report.figures.style import (
    GREEN,
    GREY,
    VERMILLION,
    chart,
    dots,
    in_points,
    list_height,
    top_down,
)

VERDICTS = {
    "helps": (GREEN, "circle"),
    "harms": (VERMILLION, "x"),
    "no difference shown": (GREY, "circle-open"),
}


def treatments(table: Table) -> go.Figure:
    """The effect of each treatment on macro-F1 against the control, as a forest plot."""
    ranked = table.frame.sort("delta_macro_f1", descending=True).to_dicts()
    rows = in_points(ranked, "delta_macro_f1", "ci_low", "ci_high")
    figure = chart(height=list_height(len(rows), each=34))
    for verdict, (colour, symbol) in VERDICTS.items():
        these = [row for row in rows if row["verdict"] == verdict]
        names = [row["name"] for row in these]
        if these:
            figure.add_trace(
                dots(these, "delta_macro_f1", names, name=verdict, colour=colour, symbol=symbol, size=11)
            )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.update_xaxes(title={"text": "points of macro-F1 against the control"}, tickformat="+.1f")
    return figure.update_yaxes(top_down([row["name"] for row in rows]))
