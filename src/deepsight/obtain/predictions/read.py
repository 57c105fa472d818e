"""Read the predictions in a file and match them to images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepsight.core.array_types import Floats
from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log
from deepsight.core.statistics.score_direction import doubt_about_direction, most_by_guessing
from deepsight.obtain.predictions.formats import read_given
from deepsight.obtain.predictions.given import GivenPredictions
from deepsight.obtain.predictions.label_columns import labels_that_count, require_own_order
from deepsight.obtain.predictions.match import Listings, match_by_file, match_by_position
from deepsight.obtain.predictions.usual_orders import require_no_better_order
from deepsight.obtain.predictions.values import logits_of_given, require_finite

FEWEST = 30  # images; on fewer, the range of chance is too wide for a warning
MOST_TIES = 0.01  # share of rows: rounding makes a few
SMALLEST_SHARE = 0.5  # of the images of a split; if predictions cover fewer, the log says so


@dataclass(frozen=True)
class MatchedPredictions:
    """Predictions and their images.

    Attributes:
        predictions: of m images, with ids as in `data`.
        data: the m images that have a prediction, in the order of the split.
        doubt: a sentence on predictions that look as if they were something else, "" without such doubt.
    """

    predictions: Predictions
    data: Dataset
    doubt: str = ""


def read_predictions(
    file: Path, data: Dataset, *, listings: Listings | None = None, log: Log
) -> MatchedPredictions:
    """The predictions in a file, matched to the images of a split.

    An .npz file holds `probs` or `logits` (m, k), or `pred` (m,) with or without `confidence` (m,); it may
    hold `files` (m,), `labels` (m,), `classes` (k,), which is the order of the columns, and `features` (m,
    d). A table has one row per image with a column per class, or `pred` and `confidence`, and may have
    `file` and `label`. If files are given, rows are matched by them, in any order, and a subset is enough.
    Otherwise there must be one row per image, in the official order. Values that contradict their name are
    refused, and so are losses or distances, whose smallest names the class.

    Args:
        file: .npz, .npy, CSV, TSV, Parquet, JSON or JSON Lines.
        data: the images of the split, with their labels.
        listings: the images of the whole source, to match predictions for more than the split by position.
        log: receives what is left out and what is assumed.

    Raises:
        UsageError: the file cannot be read, its content is not as above, or no row matches an image.
    """
    given = read_given(file, data.classes)
    if given.files is not None:
        taken, rows = match_by_file(given.files, data, listings, log)
    else:
        taken, rows = match_by_position(given.n, data, listings, log)
    given, images = given.select(taken), data.select(rows)
    say_coverage(len(images), data, log)
    for note in given.notes:
        log(note)
    if given.unused:
        log(f"Not used: columns ({len(given.unused)}), the first: {given.unused[0]}.")
    logits = logits_of_given(given, data.k, log)
    labels = labels_that_count(given.labels, images, logits, log)
    doubt = "" if given.predicted is not None else doubt_about_direction(logits, labels)
    if given.columns is None and given.predicted is None:
        require_own_order(logits, images)
    if given.columns is None or all(name.isdecimal() for name in data.classes):
        require_no_better_order(logits.argmax(axis=1), images)
    say_ties(logits, log)
    if not doubt and given.files is None and given.labels is None:
        doubt = doubt_about_rows(logits, images)
    if doubt:
        log(doubt)
    return MatchedPredictions(
        Predictions(images.ids, labels, logits.astype(np.float32), features_of(given, len(images))), images,
        doubt,
    )  # fmt: skip


def say_ties(logits: Floats, log: Log) -> None:
    """Log in how many rows several classes tie for the largest value, if there are more than a few."""
    tied = int(((logits == logits.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
    if tied > MOST_TIES * len(logits):
        log(
            f"In {tied:,} of {len(logits):,} rows several classes have the largest value; the first of them "
            "counts as the prediction."
        )


def doubt_about_rows(logits: Floats, data: Dataset) -> str:
    """A sentence where predictions without names are no better than guessing: their order may be another."""
    right = float((logits.argmax(axis=1) == data.labels).mean())
    if len(data) < FEWEST or right > most_by_guessing(data.labels):
        return ""
    return (
        f"{right:.0%} of the predictions are correct, no more than by guessing. The rows may be in another "
        "order than the images; a column of file names would settle it."
    )


def say_coverage(matched: int, data: Dataset, log: Log) -> None:
    """Log how many images have a prediction, unless all do.

    Raises:
        UsageError: none has.
    """
    if not matched:
        raise UsageError(f"Expected predictions for images of the split, but none of {len(data)} has one.")
    if matched < len(data):
        few = " The report describes only these." if matched < SMALLEST_SHARE * len(data) else ""
        log(f"{matched:,} of {len(data):,} images of the split have a prediction.{few}")


def features_of(given: GivenPredictions, n: int) -> np.ndarray:
    """The features as float16 or float32 (n, d); d is 0 where the file has none.

    Raises:
        UsageError: some are NaN, infinite, or too large for float32.
    """
    features = given.features
    if features is None:
        return np.empty((n, 0), dtype=np.float32)
    if features.dtype != np.float16:
        with np.errstate(over="ignore"):
            features = features.astype(np.float32)
    require_finite("features", features)
    return features
