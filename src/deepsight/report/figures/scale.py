"""Scales: the position in pixels of a value on an axis, and ticks with their text."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

from deepsight.report.figures.plot import Axis, Bars, Dots, Panel, Unit, Value
from deepsight.report.formatting import MINUS, NBSP

STEPS = (1, 2, 5, 10)
LETTER = 6.6  # mean width in pixels of a letter of the page's sans serif at 12 px, rounded up
PADDING = 0.04  # of the range, so that no symbol is cut off
PLAIN = 1e-3  # if all ticks are smaller, they are written with an exponent


@dataclass(frozen=True)
class Scale:
    """Maps the values of an axis from `low` to `high` to pixels from `start` to `end`."""

    axis: Axis
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: Value) -> float:
        """The position of a value in pixels; a category's is the middle of its line."""
        if isinstance(value, str):
            each = (self.end - self.start) / len(self.axis.categories)
            return self.start + each * (self.axis.categories.index(value) + 0.5)
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self, wanted: int) -> list[tuple[float, str]]:
        """Positions in pixels and texts of about so many round values."""
        values = round_values(self.low, self.high, wanted)
        if self.axis.unit == "count":
            values = [value for value in values if value == round(value)]
        return [
            (self(value), text) for value, text in zip(values, texts(values, self.axis.unit), strict=True)
        ]


def scale(axis: Axis, values: Iterable[Value | None], start: float, end: float) -> Scale:
    """The scale of an axis that must show these values."""
    low, high = extent(axis, values)
    return Scale(axis, low, high, start, end)


def extent(axis: Axis, values: Iterable[Value | None]) -> tuple[float, float]:
    """The ends of an axis: its bounds, or else those of the finite values with some padding."""
    numbers = [v for v in values if isinstance(v, (int, float)) and math.isfinite(v)] or [0.0, 1.0]
    low, high = axis.bounds
    first = min(numbers) if low is None else low
    last = max(numbers) if high is None else high
    spare = PADDING * (last - first) or 0.5
    return (first - spare if low is None else first), (last + spare if high is None else last)


def round_values(low: float, high: float, wanted: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten in [low, high], at most one more than wanted."""
    power = 10.0 ** math.floor(math.log10((high - low) / max(wanted, 1)))
    for step in (power * s for s in STEPS):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first <= max(wanted, 1):
            break
    return [round(i * step, 12) for i in range(first, last + 1)]


def texts(values: Sequence[float], unit: Unit) -> list[str]:
    """Ticks in words: shares as percentages, points with their sign, all with the same digits."""
    if unit == "number" and 0 < max(map(abs, values), default=0) < PLAIN:
        return [f"{value:.2g}".replace("-", MINUS) for value in values]
    shown = [100 * value for value in values] if unit == "share" else list(values)
    digits = max((decimals(value) for value in shown), default=0)
    sign = "+" if unit == "points" else ""
    after = f"{NBSP}%" if unit == "share" else ""
    signed = (f"{v:{sign if v else ''},.{digits}f}{after}" for v in shown)
    return [text.replace("-", MINUS) for text in signed]


def decimals(value: float) -> int:
    """Decimal places that a round value needs, at most 8."""
    return next((d for d in range(8) if abs(round(value, d) - value) < 1e-9), 8)


def along(panel: Panel, side: str) -> list[Value | None]:
    """All values that the axis x or y of a panel must cover, with intervals, bands and rules."""
    found: list[Value | None] = []
    for series in panel.series:
        found += getattr(series, side)
        if isinstance(series, Dots) and series.along == side:
            found += [*series.low, *series.high]
    if side == "x":
        found += [end for band in panel.bands for end in (band.low, band.high)] + list(panel.rules)
        found += [0.0] if any(isinstance(series, Bars) for series in panel.series) else []
    return found


def text_width(text: str) -> float:
    """The approximate width of a text in pixels, at 12 px."""
    return LETTER * len(text)


def lines_of(label: str, letters: int) -> list[str]:
    """A long label on several lines."""
    return wrap(label, letters) or [label]
