"""How the report writes numbers."""

import math
from typing import Any

MISSING = "–"
MINUS = "\u2212"
NBSP = "\u00a0"  # a number and its unit stay on one line


def percent(value: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 as a percentage: 0.918 gives "91.8 %" with a no-break space."""
    return MISSING if absent(value) else f"{100 * float(value or 0):.{digits}f}{NBSP}%"


def points(value: float | None, digits: int = 1, *, scale: float = 100) -> str:
    """A difference of shares in signed percentage points, without the word."""
    return MISSING if absent(value) else f"{scale * float(value or 0):+.{digits}f}".replace("-", MINUS)


def count(value: float | None) -> str:
    """A whole number with thousands separated: 10000 gives "10,000"."""
    return MISSING if absent(value) else f"{int(value or 0):,}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "45 s", "4 min 10 s", "1 h 5 min"."""
    if absent(seconds):
        return MISSING
    whole = round(float(seconds or 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def cell(value: Any) -> str:
    """Any value of a table, short enough to read; three significant digits for fractions."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if absent(value):
        return MISSING
    if isinstance(value, float):
        return fraction(value)
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    return str(value)


def fraction(value: float) -> str:
    """Three significant digits, scientific only below 0.0005 in size."""
    if value == 0:
        return "0"
    if abs(value) < 5e-4:
        return f"{value:.1e}".replace("-", MINUS)
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.replace("-", MINUS)


def absent(value: Any) -> bool:
    """Whether there is no number here: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))
