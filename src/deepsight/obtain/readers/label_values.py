"""Labels as people write them, converted to positions in the classes."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from deepsight.core.array_types import Ints

Label = TypeVar("Label")
MISSING_MARKS = ("", "nan", "<na>", "#n/a", "nat")  # what pandas and spreadsheets write for missing text


INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"  # characters without width, which copying from web pages leaves


def positions_of_labels(values: Sequence[Any], *, among: Iterable[Any]) -> tuple[Ints, tuple[str, ...]]:
    """The positions (n,) of values among the sorted distinct values of `among`, and these as class names.

    None gets -1. Surrounding spaces and the Unicode form of accents do not matter.
    """
    distinct = sorted({plain_label(value) for value in among if value is not None})
    positions = {value: i for i, value in enumerate(distinct)}
    found = [-1 if value is None else positions[plain_label(value)] for value in values]
    return np.asarray(found, dtype=np.int64), tuple(str(value) for value in distinct)


def label_or_none(value: Label) -> Label | None:
    """A label; None if it is -1, NaN, or what programs write for missing text."""
    if isinstance(value, str):
        return None if value.strip().casefold() in MISSING_MARKS else value
    missing = value is None or value == -1 or (isinstance(value, float) and np.isnan(value))
    return None if missing else value


def plain_label(value: Any) -> Any:
    """A text in Unicode's form NFC without spaces and invisible characters around it; other values as is."""
    if not isinstance(value, str):
        return value
    return unicodedata.normalize("NFC", value.strip().strip(INVISIBLE).strip())
