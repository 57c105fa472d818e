"""Figures of the Explore stage."""

import plotly.graph_objects as go

from deepsight.core.evidence import Table
from deepsight.report.figures.style import CYCLE, SYMBOLS, chart, share_axis

NAMED_CLASSES = 20  # a legend of more leaves no room for the map; hovering still names each point


def balance(table: Table) -> go.Figure:
    """The share of each class in each split."""
    figure = chart(height=300, barmode="group", bargap=0.35)
    for position, (split,) in enumerate(table.frame.select("split").unique(maintain_order=True).rows()):
        rows = table.frame.filter(split=split).to_dicts()
        figure.add_bar(
            x=[row["class"] for row in rows],
            y=[row["share"] for row in rows],
            customdata=[row["n"] for row in rows],
            hovertemplate="%{x}: %{y:.2%}, %{customdata:,} images",
            name=split,
            marker={
                "color": CYCLE[position % len(CYCLE)],
                "pattern": {"shape": ["", "/", "x"][position % 3]},
            },
        )
    figure.update_xaxes(showgrid=False)
    return figure.update_yaxes(share_axis("share of the split"))


def embedding(table: Table) -> go.Figure:
    """The map of the features, a colour and a symbol a class."""
    few = table.frame["class"].n_unique() <= NAMED_CLASSES
    figure = chart(height=520, legend_itemsizing="constant", showlegend=few)
    for position, (name,) in enumerate(table.frame.select("class").unique(maintain_order=True).rows()):
        rows = table.frame.filter(**{"class": name})
        figure.add_scatter(
            x=rows["x"].to_list(),
            y=rows["y"].to_list(),
            mode="markers",
            name=name,
            hovertemplate=f"{name}<extra></extra>",
            marker={
                "size": 5,
                "opacity": 0.75,
                "color": CYCLE[position % len(CYCLE)],
                "symbol": SYMBOLS[position % len(SYMBOLS)],
            },
        )
    figure.update_xaxes(showticklabels=False, showgrid=False)
    return figure.update_yaxes(showticklabels=False, showgrid=False)
