"""Figures of the Model stage."""

from collections.abc import Iterator, Sequence

import polars as pl

from deepsight.report.figures.plot import Axis, Band, Dash, Dots, Figure, Panel, Unit
from deepsight.report.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from deepsight.report.formatting import cell_text

Curve = tuple[str, str, int, Dash]
PHASES = {"frozen": "frozen", "finetune": "fine-tuning"}
SYMBOLS = {"solid": "circle", "dash": "square", "dot": "diamond"}


def learning_curves(history: pl.DataFrame) -> Figure:
    """Losses, the score on validation and the learning rates by epoch, with the phases shaded."""
    losses: list[Curve] = [
        ("train_loss", "loss on training", BLUE, "solid"),
        ("val_loss", "loss on validation", ORANGE, "dash"),
    ]
    scores: list[Curve] = [("val_macro_f1", "macro-F1 on validation", GREEN, "solid")]
    phases = list(bands(history["phase"].to_list()))
    bare = [Band(band.low, band.high, strong=band.strong) for band in phases]
    panels = [
        panel(history, losses, "loss", phases, height=150),
        panel(history, scores, "macro-F1 on validation", bare, unit="share", height=150),
        panel(history, list(rates(history.columns)), "learning rate", bare, height=90, last=True),
    ]
    return Figure([p for p in panels if p.series], stacked=True)


def panel(
    history: pl.DataFrame,
    curves: Sequence[Curve],
    title: str,
    phases: Sequence[Band],
    *,
    height: int,
    unit: Unit = "number",
    last: bool = False,
) -> Panel:
    """One panel with those of the curves that this history has, by epoch."""
    epochs = [float(epoch) for epoch in range(1, len(history) + 1)]
    series = [
        Dots(name, epochs, values, tone, SYMBOLS[dash], size=3.5, line=dash, hints=hints(name, values))
        for column, name, tone, dash in curves
        if column in history.columns
        for values in [history[column].to_list()]
    ]
    x = Axis("epoch" if last else "", unit="count", bounds=(0.5, len(history) + 0.5))
    return Panel(x, Axis(title, unit=unit), series, height=height, bands=phases)


def hints(name: str, values: Sequence[float]) -> list[str]:
    """The value of each epoch in words."""
    return [f"{name}, epoch {epoch}: {cell_text(value)}" for epoch, value in enumerate(values, start=1)]


def rates(columns: Sequence[str]) -> Iterator[Curve]:
    """The learning rate of each group of parameters."""
    looks: list[tuple[int, Dash]] = [(GREY, "dash"), (PURPLE, "solid"), (SKY, "dot")]
    for position, column in enumerate(name for name in columns if name.startswith("lr")):
        name = column.replace("_", " ").replace("lr", "rate of the", 1)
        yield column, name, *looks[position % 3]


def bands(phases: Sequence[str]) -> Iterator[Band]:
    """A shaded range and a name for each phase of the training."""
    start = 0
    for end in range(1, len(phases) + 1):
        if end == len(phases) or phases[end] != phases[start]:
            name = PHASES.get(phases[start], phases[start])
            yield Band(start + 0.5, end + 0.5, name, strong=phases[start] == "frozen")
            start = end
