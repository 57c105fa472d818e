"""Figures of the preprocessing audit of a foreign model, and of the choice of its attribution method."""

from typing import Any

from deepsight.core.evidence import Table
from deepsight.report.figures.plot import Axis, Figure, Panel
from deepsight.report.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    dots,
    in_points,
    points_hint,
    row_labels,
)

PARTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("deletion", "deletion", {"tone": BLUE, "symbol": "circle"}),
    ("insertion", "insertion", {"tone": ORANGE, "symbol": "square"}),
    ("pointing", "grid pointing", {"tone": PURPLE, "symbol": "diamond"}),
)


def preprocessing_figure(table: Table) -> Figure:
    """The gain of each preprocessing over the first one, with its interval; the one in use is filled."""
    rows = in_points(table.frame.to_dicts(), "difference", "ci_low", "ci_high")
    for row in rows:
        row["label"] = row["preprocessing"]
        row["hint"] = f"{points_hint(row, 'difference')}, macro-F1 {row['macro_f1']:.3f}"
    kinds = (("in use", True, BLUE), ("tried", False, GREY))
    series = [
        dots(these, "difference", name=name, tone=tone, hollow=not chosen, size=6)
        for name, chosen, tone in kinds
        if (these := [row for row in rows if row["chosen"] is chosen])
    ]
    axis = Axis(f"macro-F1 minus that of “{rows[0]['label']}”, in points", unit="points")
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series, rules=(0,))])


def methods_figure(table: Table) -> Figure:
    """The gain of each attribution method over model-independent maps, in three small checks."""
    rows = in_points(table.frame.sort("score", descending=True).to_dicts(), *(name for name, *_ in PARTS))
    for row in rows:
        row["label"] = f"{row['method']} at {row['layer']}"
    series = [
        dots(
            [{**row, "hint": points_hint(row, part)} for row in rows if row[part] is not None],
            part, name=name, size=6, **style,
        )
        for part, name, style in PARTS
        if table.frame[part].null_count() < len(rows)
    ]  # fmt: skip
    axis = Axis("gain over a map that is independent of the model, in points", unit="points")
    return Figure([Panel(axis, Axis(categories=row_labels(rows)), series, rules=(0,))])
