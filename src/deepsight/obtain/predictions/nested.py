"""Predictions nested in one cell: a list of numbers, numbers by class, or labels with scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats
from deepsight.core.errors import UsageError
from deepsight.obtain.local_file import is_picture
from deepsight.obtain.predictions.class_names import UNKNOWN, places_or_numbers

Row = Sequence[Any] | Mapping[str, Any] | None


def turned_if_by_file(frame: pl.DataFrame) -> pl.DataFrame:
    """A table with one row per file, from a JSON object with a key for each file; else the table itself.

    The values are predicted classes, or what a cell of `probs` may hold.
    """
    if len(frame) != 1 or not all(is_picture(name) for name in frame.columns):
        return frame
    values = pl.Series("values", [frame[name][0] for name in frame.columns], strict=False)
    kind = "predictions" if values.dtype.is_nested() else "pred"
    return pl.DataFrame({"file": frame.columns, kind: values})


def lists_of_text(column: pl.Series) -> pl.Series:
    """Text cells such as `[0.1, 0.9]` or `[0.1 0.9]`, as in CSV files, as lists; other columns unchanged."""
    if column.dtype != pl.String:
        return column
    cells = column.str.strip_chars(" []()\n").str.replace_all(r"[,;\s]+", " ").str.split(" ")
    numbers = cells.list.eval(pl.element().cast(pl.Float64, strict=False))
    whole = numbers.list.eval(pl.element().is_not_null().all()).list.all()
    return numbers if bool(whole.all()) and bool((numbers.list.len() > 1).all()) else column


def outputs_of_cells(column: pl.Series, classes: Sequence[str]) -> tuple[Floats, bool]:
    """Numbers (n, k) in the order of the classes, and whether the cells name the classes.

    A cell holds k numbers in the order of the classes, a number by class name, or a label and its score for
    each class, as pipelines of `transformers` return them.

    Raises:
        UsageError: a cell does not hold exactly one number for each class.
    """
    rows: list[Row] = column.to_list()
    named = column.dtype == pl.Struct or any(isinstance(cell, dict) for row in rows for cell in row or ())
    found = [named_cell(row, classes) if named else row or () for row in rows]
    if wrong := [place for place, row in enumerate(found) if len(row) != len(classes)]:
        raise UsageError(
            f"Expected {len(classes)} numbers in each cell of '{column.name}', one for each class, received "
            f"{len(found[wrong[0]])} in row {wrong[0]}. A pipeline of transformers gives all with top_k=None."
        )
    return np.array(found, dtype=np.float64).reshape(len(found), len(classes)), named


def named_cell(row: Row, classes: Sequence[str]) -> list[Any]:
    """The numbers of one cell in the order of the classes; missing ones are left out.

    Raises:
        UsageError: a name is not that of a class.
    """
    by_name = row if isinstance(row, Mapping) else scores_by_label(row or ())
    given = {name: value for name, value in by_name.items() if value is not None}
    places = places_or_numbers(list(given), classes)
    if UNKNOWN in places:
        name = list(given)[places.index(UNKNOWN)]
        raise UsageError(f"Expected scores of the classes {list(classes)[:12]}, received one of '{name}'.")
    by_place = dict(zip(places, given.values(), strict=True))
    return [by_place[place] for place in sorted(by_place)]


def scores_by_label(row: Sequence[Any]) -> dict[str, Any]:
    """The scores of a cell by label.

    Raises:
        UsageError: an entry has no label or no score.
    """
    for entry in row:
        if not isinstance(entry, Mapping) or not {"label", "score"} <= set(entry):
            there = sorted(entry) if isinstance(entry, Mapping) else entry
            raise UsageError(f"Expected a label and a score in each entry of a cell, received {there}.")
    return {entry["label"]: entry["score"] for entry in row}
