"""Lists of labels in one cell, with or without their scores."""

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import polars as pl

from deepsight.obtain.predictions.class_names import UNKNOWN, places_of_classes
from deepsight.obtain.predictions.numeric_cells import is_numeric_text


def few_entries(column: pl.Series, k: int) -> bool:
    """Whether the cells are lists of labels with scores that lack some of the k classes."""
    inner = column.dtype.inner if isinstance(column.dtype, pl.List) else None
    return isinstance(inner, pl.Struct) and any(len(cell or ()) < k for cell in column.to_list())


def entries_of_cell(cell: Any, classes: Sequence[str]) -> list[tuple[Any, Any]] | None:
    """Labels and scores of a cell, None for a score that it lacks; None if it is no list of labels."""
    values = list_of_text(cell) if not isinstance(cell, str) or cell.strip().startswith(("[", "(")) else None
    if isinstance(cell, str) and values is None:
        values = names_in_text(cell, classes)
    if isinstance(cell, Mapping):
        values = [(label, score) for label, score in cell.items() if score is not None]
    if values is None:
        return None
    found = [label_and_score(value) for value in values]
    return None if any(entry is None for entry in found) else [entry for entry in found if entry is not None]


def label_and_score(value: Any) -> tuple[Any, Any] | None:
    """The label and the score of an entry: a label alone, both by name, or both in this order."""
    if isinstance(value, Mapping):
        return (value["label"], value["score"]) if {"label", "score"} <= set(value) else None
    if isinstance(value, list | tuple):
        return (value[0], as_number(value[1])) if len(value) == 2 else None
    return (value, None) if isinstance(value, str | int) else None


def as_number(value: Any) -> Any:
    """A number that is written as text, as a number."""
    return float(value) if isinstance(value, str) and is_numeric_text(value) else value


def list_of_text(cell: Any) -> Sequence[Any] | None:
    """A cell as a list: as it is, or from text as Python writes a list; None if it is none."""
    if isinstance(cell, str):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            cell = ast.literal_eval(cell.strip())
    return cell if isinstance(cell, list | tuple) else None


def names_in_text(cell: str, classes: Sequence[str]) -> list[str] | None:
    """The names of classes in a text, between bars, semicolons, commas or spaces; None if it holds others."""
    for separator in "|;, ":
        names = [name.strip() for name in cell.split(separator) if name.strip()]
        if names and UNKNOWN not in places_of_classes(names, classes):
            return names
    return None
