"""Predictions as ranked labels, the best few of each image or all classes: in columns or in lists."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.errors import UsageError
from deepsight.obtain.predictions.class_names import UNKNOWN, places_or_numbers
from deepsight.obtain.predictions.column_names import CONFIDENCES, NESTED, SHORT_CONFIDENCES
from deepsight.obtain.predictions.given import GivenPredictions, chosen_classes
from deepsight.obtain.predictions.numeric_cells import numeric_columns
from deepsight.obtain.predictions.ranked_cells import entries_of_cell, few_entries, list_of_text

LABEL = "label|class|class_name|pred|prediction|predicted|predicted_class|predicted_label|name|category"
SCORE = "|".join((*CONFIDENCES, *SHORT_CONFIDENCES))
RANKED_NAMES = (
    r"(?P<word>{words})_?(?P<rank>\d+)", r"(?:top|rank)_?(?P<rank>\d+)_(?P<word>{words})",
    r"(?P<word>{words})_?(?:top|rank)_?(?P<rank>\d+)",
)  # fmt: skip
TOP = re.compile(r"top_?(?P<rank>\d+)")
LISTS = re.compile(rf"top_?(?:\d+|k|n)(?:_(?:{LABEL}|labels|classes|names|preds|predictions))?")
LIST_SCORES = re.compile(rf"top_?(?:\d+|k|n)_(?:(?:{SCORE})s?|probabilities)")
PERCENT = 100.0  # scores above this or below 0 are neither probabilities nor percentages


@dataclass(frozen=True)
class Ranking:
    """Labels of n images with their scores.

    Attributes:
        labels: of each row, in the order of the file.
        scores: of each row, as many; None where the file has none.
        columns: in which they stand.
    """

    labels: list[list[Any]]
    scores: list[list[float]] | None
    columns: tuple[str, ...]


def ranked_predictions(
    given: GivenPredictions, frame: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[GivenPredictions, tuple[str, ...]] | None:
    """The predictions in ranked columns or lists, and their columns; None if the table has none.

    If every row has a score of every class, these are the outputs. Otherwise the best label and its score
    are the predicted class and its confidence, and a note says that the rest is not known.

    Raises:
        UsageError: a label is no class, or a row names one twice.
    """
    found = ranking_in_columns(frame, classes) or ranking_in_lists(frame, classes)
    if found is None:
        return None
    places = places_in_rows(found.labels, classes)
    whole = all(len(row) == len(classes) for row in places)
    if found.scores is not None and whole:
        outputs = np.empty((len(places), len(classes)))
        for row, (labels, scores) in enumerate(zip(places, found.scores, strict=True)):
            outputs[row, labels] = scores
        return replace(given, outputs=outputs, columns=classes), found.columns
    return best_of_ranking(given, places, found.scores, len(classes)), found.columns


def places_in_rows(labels: Sequence[Sequence[Any]], classes: tuple[str, ...]) -> list[Ints]:
    """The positions of the classes that each row names.

    Raises:
        UsageError: a label is no class, a row has none, or it names one twice.
    """
    if empty := [row for row, named in enumerate(labels) if not named]:
        raise UsageError(
            f"Expected a class in each row, received none in {len(empty)} of {len(labels)}, the first "
            f"{empty[0]}."
        )
    flat = chosen_classes([label for row in labels for label in row], classes)
    places = np.split(flat, np.cumsum([len(row) for row in labels])[:-1])
    if twice := [row for row, named in enumerate(places) if len({*named.tolist()}) < len(named)]:
        raise UsageError(f"Expected each class once in a row, received {labels[twice[0]]} in row {twice[0]}.")
    return places


def best_of_ranking(
    given: GivenPredictions, places: list[Ints], scores: list[list[float]] | None, k: int
) -> GivenPredictions:
    """The best label of each row as the predicted class, with a note that the others are not used.

    Without scores the first label is the best. Its score is the confidence unless it can be none.
    """
    best = [0 if scores is None else int(np.argmax(scores[row])) for row in range(len(places))]
    sure = None if scores is None else np.array([max(row) for row in scores])
    if sure is not None and not (sure.min() >= 0 and sure.max() <= PERCENT):
        sure = None
    note = (
        f"The file holds the best {max(map(len, places))} of {k} classes for each image. The best is read "
        "as the prediction; the scores of the rest are not known and count as equal."
    )
    chosen = np.array([row[place] for row, place in zip(places, best, strict=True)], dtype=np.int64)
    return replace(given, predicted=chosen, confidence=sure, notes=(*given.notes, note))


def ranking_in_columns(frame: pl.DataFrame, classes: Sequence[str]) -> Ranking | None:
    """The ranking in columns such as `label_1, score_1, label_2, score_2`; None if there is none."""
    labels: dict[int, str] = {}
    scores: dict[int, str] = {}
    for name in frame.columns:
        if (found := role_and_rank(name)) is not None and name not in classes:
            (labels if found[0] == "label" else scores).setdefault(found[1], name)
    ranks = sorted(labels)
    numbers = [frame[name].dtype.is_numeric() for name in labels.values()]
    if len(ranks) < 2 or ranks not in ([*range(len(ranks))], [*range(1, len(ranks) + 1)]):
        return None
    if any(frame[name].dtype.is_float() or frame[name].dtype.is_nested() for name in labels.values()):
        return None
    if any(numbers) and sorted(scores) != ranks:  # numbers without scores may be scores themselves
        return None
    names = [labels[rank] for rank in ranks]
    if not any(numbers) and not mostly_classes(frame[names[0]], classes):
        return None
    cells = frame.select(names).rows()
    rows = [[label for label in row if not is_empty(label)] for row in cells]
    if sorted(scores) != ranks:
        return Ranking(rows, None, tuple(names))
    values = numeric_columns(frame, [scores[rank] for rank in ranks])
    there = np.array([[not is_empty(label) for label in row] for row in cells])
    kept = [row[mask].tolist() for row, mask in zip(values, there, strict=True)]
    return Ranking(rows, kept, (*names, *(scores[rank] for rank in ranks)))


def mostly_classes(column: pl.Series, classes: Sequence[str]) -> bool:
    """Whether at least half of the different texts in a column name classes: `name_1` may be a person."""
    texts = [str(text) for text in column.drop_nulls().unique().to_list() if text != ""]
    return 2 * sum(place != UNKNOWN for place in places_or_numbers(texts, classes)) >= len(texts)


def is_empty(cell: Any) -> bool:
    """Whether a cell holds no label."""
    return cell is None or cell == ""


def role_and_rank(name: str) -> tuple[str, int] | None:
    """Whether a column holds labels or scores, and of which rank, by its name; None for other names."""
    plain = plain_column(name)
    if found := TOP.fullmatch(plain):
        return "label", int(found["rank"])
    for shape in RANKED_NAMES:
        if found := re.fullmatch(shape.replace("{words}", f"{LABEL}|{SCORE}"), plain):
            return "label" if found["word"] in LABEL.split("|") else "score", int(found["rank"])
    return None


def plain_column(name: str) -> str:
    """A column name in lower case with one kind of separator."""
    return re.sub(r"[\s.-]+", "_", name.strip().casefold())


def ranking_in_lists(frame: pl.DataFrame, classes: Sequence[str]) -> Ranking | None:
    """The ranking in a column of lists of labels, with or without scores; None if there is none."""
    named = [name for name in frame.columns if LISTS.fullmatch(plain_column(name))]
    named += [name for name, _ in NESTED if name in frame.columns and few_entries(frame[name], len(classes))]
    other = next((name for name in frame.columns if LIST_SCORES.fullmatch(plain_column(name))), None)
    for name in named:
        cells = [entries_of_cell(cell, classes) for cell in frame[name].to_list()]
        if not cells or any(cell is None for cell in cells):
            continue
        entries = [cell or [] for cell in cells]
        labels = [[label for label, _ in row] for row in entries]
        scores = [[score for _, score in row] for row in entries]
        if other is not None:
            scores = [list(list_of_text(cell) or ()) for cell in frame[other].to_list()]
        if all(isinstance(s, int | float) for row in scores for s in row) and [*map(len, scores)] == [
            *map(len, labels)
        ]:
            return Ranking(labels, scores, (name,) if other is None else (name, other))
        return Ranking(labels, None, (name,))
    return None
