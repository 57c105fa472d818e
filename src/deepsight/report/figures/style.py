"""Shared by all figures: the colours, and rows of a table as dots with intervals.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any of the common
colour vision deficiencies can tell apart. They are variables of the style sheet, `--tone-0` to `--tone-6`,
a little lighter on dark pages. Colour is never the only cue: symbols, fills or dashes repeat its meaning.
"""

from collections.abc import Sequence
from typing import Any

from deepsight.report.figures.plot import Dots
from deepsight.report.formatting import MISSING, percent_text, points_text

BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, GREY = range(7)
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle", "x", "star", "hexagon", "pentagon")

Row = dict[str, Any]


def series_style(position: int) -> dict[str, Any]:
    """Colour and symbol of the series at this position: nine symbols, then the same nine hollow."""
    turn, place = divmod(position, len(SYMBOLS))
    return {"tone": position % 7, "symbol": SYMBOLS[place], "hollow": turn % 2 == 1}


def dots(rows: Sequence[Row], value: str, *, name: str, tone: int, **options: Any) -> Dots:
    """Rows of a table as dots along x, each with its `label` and the interval `ci_low` to `ci_high`."""
    return Dots(
        name,
        [row[value] for row in rows],
        [row["label"] for row in rows],
        tone,
        low=[row.get("ci_low") for row in rows],
        high=[row.get("ci_high") for row in rows],
        hints=[str(row.get("hint") or row["label"]) for row in rows],
        **options,
    )


def row_labels(rows: Sequence[Row]) -> tuple[str, ...]:
    """The labels of rows as categories, each once."""
    return tuple(dict.fromkeys(row["label"] for row in rows))


def share_hint(row: Row, value: str) -> str:
    """A share with its interval in words, for the tooltip of a dot."""
    ends = (percent_text(row.get(end)) for end in ("ci_low", "ci_high"))
    return f"{row['label']}: {percent_text(row[value])}{bracketed_interval(*ends)}"


def points_hint(row: Row, value: str) -> str:
    """A difference in points with its interval in words."""
    ends = (points_text(row.get(end), scale=1) for end in ("ci_low", "ci_high"))
    return f"{row['label']}: {points_text(row[value], scale=1)} points{bracketed_interval(*ends)}"


def bracketed_interval(low: str, high: str) -> str:
    """An interval in brackets; empty if it is missing."""
    return "" if MISSING in (low, high) else f" ({low} to {high})"


def in_points(rows: Sequence[Row], *columns: str) -> list[Row]:
    """The rows with the shares in these columns converted to percentage points."""
    changed = [{name: row[name] for name in columns} for row in rows]
    scaled = [{k: None if v is None else 100 * v for k, v in row.items()} for row in changed]
    return [{**row, **new} for row, new in zip(rows, scaled, strict=True)]
