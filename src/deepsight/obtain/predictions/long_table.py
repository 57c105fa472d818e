"""Predictions in long format: one row per file and class."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from deepsight.core.errors import UsageError
from deepsight.obtain.predictions.class_names import UNKNOWN, places_or_numbers
from deepsight.obtain.predictions.column_names import (
    CONFIDENCES,
    LOGITS,
    PROBABILITIES,
    SCORES,
    SHORT_CONFIDENCES,
    Kind,
    file_column,
    kind_of_scores,
)
from deepsight.obtain.predictions.numeric_cells import numeric_columns
from deepsight.obtain.readers.tables.table_file import named_column, text_column

RANK_COLUMNS = ("rank", "top", "position", "index")  # columns of numbers that are no classes
VALUES = (*CONFIDENCES, *PROBABILITIES, *SHORT_CONFIDENCES, *LOGITS, *SCORES, "value")
# What stands before a class in the name of its column.
BEFORE: dict[Kind, str] = {"probs": "prob_", "logits": "logit_", "unnamed": "score_"}


def widened_table(frame: pl.DataFrame, classes: Sequence[str]) -> pl.DataFrame:
    """A table with one row per file and one column per class, from a table in long format.

    Any other table is returned as it is. Other columns keep their first cell of each file.

    Raises:
        UsageError: a file lacks some of the classes.
    """
    files, score = file_column(frame), named_column(frame, VALUES)
    if files is None or score is None or not frame[files].is_duplicated().any():
        return frame
    named = class_of_rows(frame, files, score, classes)
    if named is None:
        return frame
    column, places = named
    require_all_classes(frame, files, len(classes))
    rows = frame.with_row_index("row of the table").group_by(files, maintain_order=True).first()
    place_of_file = {name: place for place, name in enumerate(rows[files].to_list())}
    matrix = np.empty((len(rows), len(classes)))
    at = [place_of_file[name] for name in frame[files].to_list()]
    matrix[at, places] = numeric_columns(frame, [score])[:, 0]
    scores = {
        f"{BEFORE[kind_of_scores(score)]}{name}": matrix[:, place] for place, name in enumerate(classes)
    }
    return rows.drop("row of the table", column, score).with_columns(**scores)


def class_of_rows(
    frame: pl.DataFrame, files: str, score: str, classes: Sequence[str]
) -> tuple[str, list[int]] | None:
    """The column that names another class in each row of a file, and their positions; None if none does."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    numbers = [name for name, kind in frame.schema.items() if kind.is_integer()]
    for name in [*texts, *numbers]:
        if name in (files, score) or name.strip().casefold() in RANK_COLUMNS:
            continue
        if frame.select(files, name).is_duplicated().any() or frame[name].null_count():
            continue
        places = class_places([text or "" for text in text_column(frame, name)], classes)
        if UNKNOWN not in places:
            return name, places
    return None


def class_places(texts: Sequence[str], classes: Sequence[str]) -> list[int]:
    """The positions of classes by name, or by number if all are numbers below k; -1 where neither fits."""
    places = places_or_numbers(texts, classes)
    counted = UNKNOWN in places and {*texts} <= {str(place) for place in range(len(classes))}
    return [int(text) for text in texts] if counted else places


def require_all_classes(frame: pl.DataFrame, files: str, k: int) -> None:
    """Refuse a table in long format in which a file lacks some of the k classes.

    Raises:
        UsageError: a file has fewer rows.
    """
    counts = frame.group_by(files, maintain_order=True).len().filter(pl.col("len") != k)
    if len(counts):
        raise UsageError(
            f"Expected one row for each file and each of the {k} classes, received "
            f"{counts['len'][0]} for '{counts[files][0]}', and fewer or more for {len(counts):,} files in "
            "all. Write the scores of all classes, or one row per file: the most likely class as 'pred' and "
            "its probability as 'confidence'."
        )
