"""Figures of the iNterpret stage: confusions, recall, calibration, slices and degradation."""

from typing import Any

import plotly.graph_objects as go
import polars as pl

from deepsight.core.evidence import Table
from deepsight.report.figures.style import (
    BLUE,
    CYCLE,
    GREY,
    ORANGE,
    SYMBOLS,
    VERMILLION,
    chart,
    dots,
    list_height,
    share_axis,
    top_down,
    whiskers,
    wrapped,
)

GROUPS = {"rigid": (BLUE, "square"), "organic": (ORANGE, "circle")}
SHOWN_PAIRS, SHOWN_SLICES = 15, 15


def confusion_pairs(table: Table) -> go.Figure:
    """The most frequent ordered confusions with their intervals, the flagged ones filled."""
    rows = table.frame.sort("rate", descending=True).head(SHOWN_PAIRS).to_dicts()
    for row in rows:
        row["label"] = f"{row['true']} → {row['predicted']}"
    figure = chart(height=list_height(len(rows)))
    kinds = {True: ("more often than chance", "circle"), False: ("as chance would have it", "circle-open")}
    add_kinds(figure, rows, "rate", "flagged", kinds)
    figure.update_xaxes(share_axis("share of the true class"))
    return figure.update_yaxes(top_down([row["label"] for row in rows]))


def add_kinds(
    figure: go.Figure,
    rows: list[dict[str, Any]],
    value: str,
    by: str,
    kinds: dict[bool, tuple[str, str]],
) -> None:
    """Two series of dots: the rows whose `by` holds, filled, and the rest, hollow."""
    for kind, (name, symbol) in kinds.items():
        these = [row for row in rows if bool(row[by]) is kind]
        if these:
            colour = VERMILLION if kind else GREY
            labels = [row["label"] for row in these]
            figure.add_trace(dots(these, value, labels, name=name, colour=colour, symbol=symbol))


def recall(table: Table) -> go.Figure:
    """Recall of each class with its interval, rigid and organic classes told apart."""
    rows = table.frame.sort("recall", descending=True).to_dicts()
    figure = chart(height=list_height(len(rows)))
    others = iter(zip(CYCLE[2:], SYMBOLS[2:], strict=False))
    for group in dict.fromkeys(row["group"] or "class" for row in rows):
        colour, symbol = GROUPS.get(group) or next(others, (GREY, "circle"))
        these = [row for row in rows if (row["group"] or "class") == group]
        labels = [row["class"] for row in these]
        figure.add_trace(dots(these, "recall", labels, name=group, colour=colour, symbol=symbol, size=10))
    figure.update_xaxes(share_axis("recall (share of the class that is found)"))
    return figure.update_yaxes(top_down([row["class"] for row in rows]))


def calibration(table: Table) -> go.Figure:
    """Accuracy against confidence; the area of a dot is the number of images in its bin."""
    rows = [row for row in table.frame.to_dicts() if row["n"]]
    most = max((row["n"] for row in rows), default=1)
    figure = chart(height=420)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="perfectly calibrated", line={"color": GREY, "dash": "dot"}
    )
    figure.add_scatter(
        x=[row["confidence"] for row in rows],
        y=[row["accuracy"] for row in rows],
        customdata=[row["n"] for row in rows],
        mode="lines+markers",
        name="this model (area: images)",
        line={"color": BLUE, "width": 1},
        marker={"color": BLUE, "opacity": 0.75, "size": [7 + 26 * (row["n"] / most) ** 0.5 for row in rows]},
        hovertemplate="confidence %{x:.1%}, accuracy %{y:.1%}, %{customdata:,} images<extra></extra>",
    )
    figure.update_xaxes(share_axis("mean confidence of the bin"), range=[0, 1.03])
    return figure.update_yaxes(share_axis("accuracy of the bin"), range=[0, 1.06])


def slices(table: Table) -> go.Figure:
    """The error rate of each slice beside that of all images; confirmed slices are filled."""
    rows = table.frame.sort("effect", descending=True).head(SHOWN_SLICES).to_dicts()
    labels = [wrapped(row["description"]) for row in rows]
    figure = chart(height=list_height(len(rows), each=36))
    fills = [VERMILLION if row["confirmed"] else "rgba(0,0,0,0)" for row in rows]
    lines = [VERMILLION if row["confirmed"] else GREY for row in rows]
    figure.add_scatter(
        x=[row["error_rate"] for row in rows],
        y=labels,
        mode="markers",
        name="error rate (filled: confirmed on the other half)",
        marker={"size": 10, "color": fills, "line": {"color": lines, "width": 1.5}},
        customdata=[row["n"] for row in rows],
        hovertemplate="%{y}: %{x:.1%} of %{customdata:,} images<extra></extra>",
    )
    figure.add_scatter(
        x=[row["baseline"] for row in rows],
        y=labels,
        mode="markers",
        name="baseline",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": GREY}},
    )
    figure.update_xaxes(share_axis("error rate"))
    return figure.update_yaxes(top_down(labels))


def degradation(table: Table) -> go.Figure:
    """Accuracy of all classes as the images get worse, a line for each kind of degradation."""
    whole = table.frame.filter(pl.col("class") == "all").sort("severity")
    clean = whole.filter(severity=0)
    figure = chart(height=400)
    kinds = whole.filter(pl.col("severity") > 0)["corruption"].unique(maintain_order=True).sort().to_list()
    for position, kind in enumerate(kinds):
        rows = pl.concat([clean, whole.filter(corruption=kind)])
        figure.add_scatter(
            x=rows["severity"].to_list(),
            y=rows["accuracy"].to_list(),
            error_y=whiskers(*(rows[name].to_list() for name in ("accuracy", "ci_low", "ci_high"))),
            name=kind,
            mode="lines+markers",
            line={"color": CYCLE[position % len(CYCLE)], "width": 2},
            marker={"symbol": SYMBOLS[position % len(SYMBOLS)], "size": 8},
        )
    figure.update_xaxes(title={"text": "severity (0: the image as it is)"}, dtick=1)
    return figure.update_yaxes(share_axis("accuracy"))
