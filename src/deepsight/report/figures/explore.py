"""Figures of the Explore stage."""

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Bars, Dots, Figure, Panel
from deepsight.report.figures.style import series_style
from deepsight.report.formatting import count_text, percent_text, value_text


def balance_figure(table: Table) -> Figure:
    """The share of each class in each split, one panel per split."""
    frame = table.frame
    classes = tuple(frame["class"].unique(maintain_order=True))
    largest = float(frame["share"].max() or 1.0)  # type: ignore[arg-type]
    panels = []
    for tone, split in enumerate(frame["split"].unique(maintain_order=True)):
        rows = frame.filter(split=split).to_dicts()
        bars = Bars(
            [row["share"] for row in rows],
            [row["class"] for row in rows],
            tone % 7,
            [f"{row['class']}: {percent_text(row['share'])}, {count_text(row['n'])} images" for row in rows],
        )
        title = f"{value_text(split)}, {count_text(sum(row['n'] for row in rows))} images"
        axis = Axis("share of the images", unit="share", bounds=(0, 1.08 * largest))
        panels.append(Panel(axis, Axis(categories=classes), [bars], title))
    return Figure(panels)


def embedding_figure(table: Table) -> Figure:
    """The two-dimensional embedding of the features, with one colour and one symbol per class."""
    series = []
    for position, name in enumerate(sorted(table.frame["class"].unique())):
        rows = table.frame.filter(**{"class": name})
        series.append(Dots(name, rows["x"].to_list(), rows["y"].to_list(), size=3, **series_style(position)))
    return Figure(
        [
            Panel(
                Axis("position on the map (t-SNE, no unit)", blank=True), Axis(blank=True), series, height=460
            )
        ]
    )
