"""The content of a figure: panels with axes and series. `svg.py` draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["number", "count", "share", "points"]
Dash = Literal["", "solid", "dash", "dot"]
Value = float | str


@dataclass(frozen=True)
class Axis:
    """An axis of numbers, or of categories if there are any.

    Attributes:
        title: in words; the unit is written at the ticks.
        unit: how ticks are written: a share of 0 to 1 as a percentage, points with their sign, a count
            without ticks between whole numbers.
        categories: names, from the top.
        bounds: the ends; None fits an end to the values.
        blank: without ticks, for values without a unit.
    """

    title: str = ""
    unit: Unit = "number"
    categories: tuple[str, ...] = ()
    bounds: tuple[float | None, float | None] = (None, None)
    blank: bool = False


@dataclass(frozen=True)
class Dots:
    """Symbols with optional intervals and a connecting line.

    Attributes:
        name: in the legend; empty to leave the series out of it.
        x, y: numbers, or names of categories for y; None or NaN where a value is missing.
        tone: the number of its colour, see `style.py`.
        symbol: one of `marks.SYMBOL_NAMES`, or empty for none.
        hollow: whether only the outline is drawn, for each symbol or for all.
        size: radius of a symbol in pixels, for each or for all.
        low, high: the ends of each interval along `along`, None if there is none.
        line: how the symbols are connected; empty if they are not.
        hints: the tooltip of each symbol.
    """

    name: str
    x: Sequence[float | None]
    y: Sequence[Value | None]
    tone: int
    symbol: str = "circle"
    hollow: bool | Sequence[bool] = False
    size: float | Sequence[float] = 5.0
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    along: Literal["x", "y"] = "x"
    line: Dash = ""
    hints: Sequence[str] = ()


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from 0, one per category."""

    x: Sequence[float]
    y: Sequence[str]
    tone: int
    hints: Sequence[str] = ()


@dataclass(frozen=True)
class Band:
    """A shaded range of the x axis, with its name above."""

    low: float
    high: float
    name: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Panel:
    """Series on a pair of axes.

    Attributes:
        height: of the plotting area in pixels; with categories it follows from their number.
        rules: values on the x axis to draw a vertical line at.
    """

    x: Axis
    y: Axis
    series: Sequence[Dots | Bars]
    title: str = ""
    height: int = 280
    bands: Sequence[Band] = ()
    rules: Sequence[float] = ()


@dataclass(frozen=True)
class Figure:
    """Panels beside each other, or below each other if the page is narrow or `stacked` is set."""

    panels: Sequence[Panel]
    stacked: bool = False

    @property
    def keys(self) -> list[Dots]:
        """The series of the legend, each name once; none if there is only one name."""
        named: dict[str, Dots] = {}
        for panel in self.panels:
            for series in panel.series:
                if isinstance(series, Dots) and series.name and series.x:
                    named.setdefault(series.name, series)
        return list(named.values()) if len(named) > 1 else []
