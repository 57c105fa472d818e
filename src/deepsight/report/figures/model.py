"""Figures of the Model stage."""

from collections.abc import Iterator

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from deepsight.report.figures.style import BLUE, GREEN, GREY, ORANGE, chart, share_axis

RATES = 3  # the panel of the learning rates, whose logarithmic axis has no place for 0


def learning_curves(history: pl.DataFrame) -> go.Figure:
    """Losses, the score on validation and the learning rates over the epochs, the phases marked."""
    epochs = list(range(1, len(history) + 1))
    figure = chart(
        make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.4, 0.4, 0.2]),
        height=520,
        margin={"l": 8, "r": 12, "t": 56, "b": 8},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.09, "yanchor": "bottom"},
    )
    for column, name, row, colour, dash in curves(history):
        figure.add_trace(
            go.Scatter(
                x=epochs,
                y=[value or None for value in history[column]] if row == RATES else history[column].to_list(),
                name=name,
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 6},
            ),
            row=row,
            col=1,
        )
    mark_phases(figure, history["phase"].to_list())
    figure.update_yaxes(title={"text": "loss"}, row=1, col=1)
    figure.update_yaxes(share_axis("macro-F1"), row=2, col=1)
    figure.update_yaxes(title={"text": "learning rate"}, type="log", exponentformat="power", row=RATES, col=1)
    figure.update_xaxes(dtick=max(1, len(epochs) // 12))
    figure.update_xaxes(title={"text": "epoch"}, row=RATES, col=1)
    return figure


def curves(history: pl.DataFrame) -> Iterator[tuple[str, str, int, str, str]]:
    """Column, name, panel, colour and dash of each curve that this history holds."""
    known = [
        ("train_loss", "loss on training", 1, BLUE, "solid"),
        ("val_loss", "loss on validation", 1, ORANGE, "dash"),
        ("val_macro_f1", "macro-F1 on validation", 2, GREEN, "solid"),
    ]
    yield from (curve for curve in known if curve[0] in history.columns)
    rates = [column for column in history.columns if column.startswith("lr")]
    for position, column in enumerate(rates):
        dash = ("dot", "dashdot", "longdash")[position % 3]
        yield column, column.replace("_", " ").replace("lr", "rate of the", 1), RATES, GREY, dash


def mark_phases(figure: go.Figure, phases: list[str]) -> None:
    """A shaded band and a name for each phase of the training."""
    start = 0
    for end in range(1, len(phases) + 1):
        if end < len(phases) and phases[end] == phases[start]:
            continue
        figure.add_vrect(
            x0=start + 0.5,
            x1=end + 0.5,
            fillcolor=GREY,
            opacity=0.12 if phases[start] == "frozen" else 0.04,
            line_width=0,
            layer="below",
        )
        figure.add_annotation(
            x=start + 0.55,
            y=1.005,
            yref="paper",
            text=phases[start],
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
        )
        start = end
