"""The look that all figures share.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any of the common
colour vision deficiencies can tell apart. No meaning rests on colour alone: symbols, fills or labels
repeat it. Ink, grid and background are set in the browser, which knows whether the page is light or dark.
"""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, GREY = "#56B4E9", "#CC79A7", "#8A9099"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, GREY)
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon", "pentagon")

Axis = dict[str, Any]


def chart(figure: go.Figure | None = None, *, height: int = 320, **layout: Any) -> go.Figure:
    """A figure with the shared margins and legend, transparent, in the width that it is given."""
    figure = go.Figure() if figure is None else figure
    figure.update_layout(
        template="none",
        height=height,
        autosize=True,
        margin={"l": 8, "r": 12, "t": 34, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13},
        hovermode="closest",
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
        },
    )
    figure.update_xaxes(
        automargin=True, zeroline=False, title={"standoff": 8, "font": {"size": 13}}, tickfont={"size": 12}
    )
    figure.update_yaxes(
        automargin=True, zeroline=False, title={"standoff": 8, "font": {"size": 13}}, tickfont={"size": 12}
    )
    return figure.update_layout(**layout)


def panels(titles: Sequence[str], *, height: int = 320, **layout: Any) -> go.Figure:
    """Charts side by side that share their y axis."""
    figure = make_subplots(
        rows=1, cols=len(titles), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.06
    )
    return chart(figure, height=height, **layout)


def whiskers(
    values: Sequence[float], low: Sequence[float | None], high: Sequence[float | None]
) -> dict[str, Any]:
    """Error bars from the two ends of each interval; none where an interval is absent."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if h is None else h - v for v, h in zip(values, high, strict=True)],
        "arrayminus": [0 if lo is None else v - lo for v, lo in zip(values, low, strict=True)],
        "thickness": 1.5,
        "width": 0,
    }


def dots(
    rows: Sequence[dict[str, Any]],
    value: str,
    labels: Sequence[str],
    *,
    name: str,
    colour: str,
    **marker: Any,
) -> go.Scatter:
    """One row of a table a dot with its interval: `value`, `ci_low`, `ci_high` along x."""
    values = [row[value] for row in rows]
    return go.Scatter(
        x=values,
        y=list(labels),
        mode="markers",
        name=name,
        error_x={
            **whiskers(values, [row["ci_low"] for row in rows], [row["ci_high"] for row in rows]),
            "color": colour,
        },
        marker={"size": 9, "color": colour, "line": {"width": 1.5, "color": colour}, **marker},
    )


def in_points(rows: Sequence[dict[str, Any]], *columns: str) -> list[dict[str, Any]]:
    """Rows whose shares in these columns are percentage points."""
    changed = [{name: row[name] for name in columns} for row in rows]
    scaled = [{k: None if v is None else 100 * v for k, v in row.items()} for row in changed]
    return [{**row, **new} for row, new in zip(rows, scaled, strict=True)]


def wrapped(label: str, *, width: int = 34) -> str:
    """A long label on several lines, so that it leaves room for the figure on a narrow page."""
    return "<br>".join(wrap(label, width)) or label


def list_height(rows: int, *, each: int = 26, rest: int = 96) -> int:
    """The height in pixels of a figure with a line a row."""
    return rest + each * max(rows, 1)


def top_down(labels: Sequence[str]) -> Axis:
    """A category axis that reads from the top, in the order given."""
    return {"type": "category", "categoryorder": "array", "categoryarray": list(dict.fromkeys(labels))[::-1]}


def share_axis(title: str, **axis: Any) -> Axis:
    """An axis of shares, written as percentages."""
    return {"title": {"text": title}, "tickformat": ".0%", **axis}
