"""One row of results.csv."""

from typing import NamedTuple


class Row(NamedTuple):
    """A figure of a model: its value, its quartiles where there are some, and n images."""

    part: str
    model: str
    figure: str
    value: str
    low: str = ""
    high: str = ""
    n: int = 0
