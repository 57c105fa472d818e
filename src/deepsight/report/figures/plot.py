"""What a figure holds: panels with axes and series. `svg.py` draws it; nothing here knows of pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["number", "count", "share", "points"]
Dash = Literal["", "solid", "dash", "dot"]
Value = float | str


@dataclass(frozen=True)
class Axis:
    """An axis of numbers, or of categories where there are any.

    Attributes:
        title: what it shows, in words; the unit is written at its ticks.
        unit: how its ticks are written. Shares are given as 0 to 1, points as points,
            a count has no ticks between whole numbers.
        categories: names in their order from the top.
        bounds: the ends; where one is None it follows from what is drawn.
        blank: without ticks, for places that have no unit.
    """

    title: str = ""
    unit: Unit = "number"
    categories: tuple[str, ...] = ()
    bounds: tuple[float | None, float | None] = (None, None)
    blank: bool = False


@dataclass(frozen=True)
class Dots:
    """Symbols at places, with intervals and a line through them if asked for.

    Attributes:
        name: what the legend says; empty to leave it out of the legend.
        x, y: numbers, or names of categories for y.
        tone: the number of its colour, see `style.py`.
        symbol: a name of `symbols.py`, or empty for none.
        hollow: for each place, or for all, whether only the outline is drawn.
        size: half the width of a symbol in pixels, for each or for all.
        low, high: the ends of the interval of each place along `along`, None where there is none.
        line: how the places are connected; empty where they are not.
        hints: what is shown when the reader points at each.
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
    """Horizontal bars from 0, one a category."""

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
        rules: places on the x axis with a line across.
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
    """Panels beside each other, or one below the other: where the page is narrow, or if `stacked`."""

    panels: Sequence[Panel]
    stacked: bool = False

    @property
    def keys(self) -> list[Dots]:
        """The named series, each name once: the legend. One name alone needs no legend."""
        named: dict[str, Dots] = {}
        for panel in self.panels:
            for series in panel.series:
                if isinstance(series, Dots) and series.name and series.x:
                    named.setdefault(series.name, series)
        return list(named.values()) if len(named) > 1 else []
