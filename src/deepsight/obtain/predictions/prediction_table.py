"""Predictions in tables: CSV, TSV, Parquet, JSON and JSON Lines."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.errors import UsageError
from deepsight.obtain.predictions.array_file import with_second_class
from deepsight.obtain.predictions.class_names import UNKNOWN, places_of_classes
from deepsight.obtain.predictions.column_names import (
    AFFIXES,
    CHOICES,
    LABELS,
    NESTED,
    class_columns,
    confidence_column,
    file_column,
    numbered_columns,
    one_of_two,
)
from deepsight.obtain.predictions.given import GivenPredictions, chosen_classes, require_matrix
from deepsight.obtain.predictions.long_table import widened_table
from deepsight.obtain.predictions.nested import lists_of_text, outputs_of_cells, turned_if_by_file
from deepsight.obtain.predictions.numeric_cells import is_numeric_text, numeric_columns
from deepsight.obtain.predictions.ranked import ranked_predictions
from deepsight.obtain.readers.tables.table_file import (
    named_column,
    read_table_file,
    text_column,
)


def read_prediction_table(file: Path, classes: tuple[str, ...]) -> GivenPredictions:
    """The predictions in a table: a column per class, a column of lists, or a column of predicted classes.

    Raises:
        UsageError: the table has no such columns, or they do not fit the classes.
    """
    content = read_table_file(file)
    given = predictions_of_frame(content.frame, classes, file)
    return replace(given, notes=(*given.notes, *content.notes))


def predictions_of_frame(frame: pl.DataFrame, classes: tuple[str, ...], file: Path) -> GivenPredictions:
    """The predictions in the rows of a table; the file is read again if it has no header."""
    frame = widened_table(turned_if_by_file(frame), classes)
    if not says_more(frame, classes):
        others = files_and_labels(frame, *file_and_label_columns(frame, classes))
        if (ranked := ranked_predictions(others, frame, classes)) is not None:
            given, used = ranked
            known = {*used, file_column(frame), named_column(frame, LABELS)}
            return replace(given, unused=tuple(name for name in frame.columns if name not in known))
    numbered = numbered_columns(frame, classes)
    if frame.columns == list(numbered):  # the header that pandas gives to an array
        return GivenPredictions(outputs=numeric_columns(frame, numbered))
    frame = frame.rename(class_columns(frame.columns, classes))
    if all(is_numeric_text(name) for name in frame.columns):  # no header: np.savetxt writes none
        values = read_table_file(file, header=False).frame.to_numpy()
        require_matrix("the table", values, len(classes))
        return GivenPredictions(outputs=values)
    files, labels = file_and_label_columns(frame, classes)
    given = files_and_labels(frame, files, labels)
    for affix in AFFIXES:
        names = [affix.around(name) for name in classes]
        if all(name in frame.columns for name in names):
            outputs = numeric_columns(frame, names)
            unused = tuple(name for name in frame.columns if name not in {*names, files, labels})
            return replace(given, outputs=outputs, kind=affix.kind, columns=classes, unused=unused)
    if numbered:
        unused = tuple(name for name in frame.columns if name not in {*numbered, files, labels})
        return replace(given, outputs=numeric_columns(frame, numbered), unused=unused)
    frame = frame.with_columns(lists_of_text(frame[name]) for name, _ in NESTED if name in frame.columns)
    for name, kind in NESTED:
        if name in frame.columns and frame[name].dtype.is_nested():
            outputs, named = outputs_of_cells(frame[name], classes)
            unused = tuple(other for other in frame.columns if other not in {name, files, labels})
            columns = classes if named else None
            return replace(given, outputs=outputs, kind=kind, columns=columns, unused=unused)
    if named_column(frame, CHOICES) is None and (one := one_of_two(frame, classes)) is not None:
        column, place, kind = one
        unused = tuple(name for name in frame.columns if name not in {column, files, labels})
        outputs = with_second_class(numeric_columns(frame, [column]), 2, kind)
        note = f"The column '{column}' is read as that of the class '{classes[place]}'."
        outputs = outputs if place == 1 else outputs[:, ::-1]
        columns = classes if any(affix.around(classes[place]) == column for affix in AFFIXES) else None
        return replace(given, outputs=outputs, kind=kind, columns=columns, unused=unused, notes=(note,))
    return chosen_in_table(given, frame, classes)


def says_more(frame: pl.DataFrame, classes: tuple[str, ...]) -> bool:
    """Whether a table has a column per class, or one of predictions, so that `label_1` is something else."""
    columns = {*frame.columns, *class_columns(frame.columns, classes).values()}
    whole = any(all(affix.around(name) in columns for name in classes) for affix in AFFIXES)
    choice = named_column(frame, CHOICES)
    return whole or (choice is not None and not frame[choice].dtype.is_nested())


def file_and_label_columns(frame: pl.DataFrame, classes: tuple[str, ...]) -> tuple[str | None, str | None]:
    """The columns of the files and of the true labels, leaving out those of classes; None where one lacks."""
    others = frame.drop(classes, strict=False)
    return file_column(others), named_column(others, LABELS)


def files_and_labels(frame: pl.DataFrame, files: str | None, labels: str | None) -> GivenPredictions:
    """The files and the true labels in these columns, where a table has them."""
    return GivenPredictions(
        files=None if files is None else [name or "" for name in text_column(frame, files)],
        labels=None if labels is None else label_array(frame, labels),
    )


def label_array(frame: pl.DataFrame, name: str) -> NDArray[Any]:
    """Labels as text, or as numbers if the column is numeric."""
    column = frame[name]
    return (
        column.to_numpy() if column.dtype.is_numeric() else np.array([str(v) for v in column], dtype=object)
    )


def chosen_in_table(
    given: GivenPredictions, frame: pl.DataFrame, classes: tuple[str, ...]
) -> GivenPredictions:
    """The predictions in a table with a column of predicted classes.

    Raises:
        UsageError: there is no such column either.
    """
    choice, said = named_column(frame, CHOICES), confidence_column(frame, len(classes))
    if choice is None:
        missing = [name for name in classes if name not in frame.columns]
        label = named_column(frame, LABELS)
        label = label or text_of_classes(frame, classes)
        hint = f" If '{label}' holds what the model chose, call it pred." if label else ""
        raise UsageError(
            f"Expected a column for each class or a column 'pred', received {frame.columns[:12]}; "
            f"the classes {missing[:12]} have no column.{hint}"
        )
    sure = None if said is None else numeric_columns(frame, [said])[:, 0]
    known = {choice, said, file_column(frame), named_column(frame, LABELS)}
    unused = tuple(name for name in frame.columns if name not in known)
    chosen = chosen_classes(frame[choice].to_list(), classes)
    return replace(given, predicted=chosen, confidence=sure, unused=unused)


def text_of_classes(frame: pl.DataFrame, classes: Sequence[str]) -> str | None:
    """The first column that holds nothing but names of classes; None if there is none."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    for name in texts:
        distinct = frame[name].drop_nulls().unique().to_list()
        if distinct and UNKNOWN not in places_of_classes(distinct, classes):
            return name
    return None
