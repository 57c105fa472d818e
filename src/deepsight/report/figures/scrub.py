"""Figures of the Scrub stage."""

import plotly.graph_objects as go

from deepsight.core.evidence import Table
from deepsight.report.figures.style import (
    BLUE,
    GREY,
    dots,
    list_height,
    panels,
    share_axis,
    top_down,
)


def interpolation(table: Table) -> go.Figure:
    """Probe score and detail kept of each resampling filter, the chosen one filled."""
    rows = table.frame.sort("macro_f1", descending=True).to_dicts()
    labels = [f"{row['method']}{', antialias' if row['antialias'] else ''}" for row in rows]
    figure = panels(["Macro-F1 of a probe", "Detail kept"], height=list_height(len(rows)), showlegend=False)
    colours = [BLUE if row["chosen"] else GREY for row in rows]
    fills = [BLUE if row["chosen"] else "rgba(0,0,0,0)" for row in rows]
    score = dots(rows, "macro_f1", labels, name="macro-F1", colour=GREY)
    score.marker.update(color=fills, line={"color": colours, "width": 1.5})
    figure.add_trace(score, row=1, col=1)
    kept = [row["detail_kept"] for row in rows]
    figure.add_trace(go.Bar(x=kept, y=labels, orientation="h", marker={"color": colours}, width=0.5), 1, 2)
    figure.update_xaxes(share_axis(""))
    figure.update_yaxes(top_down(labels))
    return figure
