"""Labels in a file of predictions, and checks that its columns are in the order of the classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deepsight.core.array_types import Floats, Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.progress import Log
from deepsight.core.statistics.intervals import confusion_counts
from deepsight.core.statistics.mcnemar import more_often
from deepsight.obtain.predictions.class_names import places_of_classes

AGREEING = 0.5  # shuffled rows agree about as often as chance, labels with errors far more often than this
MOVED, STAYED = 0.6, 0.2  # recall in the other and in the own column, for classes whose columns are permuted
ALARM = 0.001  # probability of a false alarm
LEAST = 5  # images of a class; with fewer, its recall is no evidence about columns


def labels_that_count(array: NDArray[Any] | None, data: Dataset, logits: Floats, log: Log) -> Ints:
    """The labels that predictions are scored by, int64 (n,): those of the file, else those of the data.

    A column of labels that holds what the model chose, as programs write it, is no truth: with it, every
    model would be right everywhere.

    Args:
        array: the labels of the file, None where it has none.
        data: the images of the rows, with their labels.
        logits: (n, k), of the file.
        log: receives which labels count where they differ.

    Raises:
        UsageError: they are no labels of the classes, or agree with the data in less than half of the rows.
    """
    if array is None:
        return data.labels
    given = labels_as_positions(array, data)
    differ = int((given != data.labels).sum())
    if differ and (logits[np.arange(len(given)), given] == logits.max(axis=1)).all():
        log("The labels in the file are what the model chose in every row, so those of the data are used.")
        return data.labels
    require_matching_labels(given, data)
    if differ:
        log(
            f"The labels in the file differ from those of the data in {differ:,} of {len(given):,} rows; "
            "those in the file are used."
        )
    return given


def labels_as_positions(array: NDArray[Any], data: Dataset) -> Ints:
    """The labels of the file, int64 (n,): text by name, whole numbers as positions.

    Raises:
        UsageError: they are no labels of the classes.
    """
    k, n = data.k, len(data)
    if array.shape == (n, 1):
        array = array[:, 0]
    if array.dtype.kind in "UO":
        given = positions_by_name(array, data)
    else:
        given = whole_number_labels(array, n)
        if all(name.isdecimal() for name in data.classes) and set(map(str, given.tolist())) <= {
            *data.classes
        }:
            given = positions_by_name(given.astype(str), data)
    unknown = (given < 0) | (given >= k)
    if unknown.any():
        names = ", ".join(str(value) for value in np.unique(given[unknown])[:5])
        from_one = " They seem to start at 1: subtract 1." if (given.min(), given.max()) == (1, k) else ""
        raise UsageError(
            f"Expected labels from 0 to {k - 1}, received the unknown labels {names} "
            f"in {unknown.sum()} of {n} rows.{from_one}"
        )
    return given


def require_matching_labels(given: Ints, data: Dataset) -> None:
    """Refuse labels that agree with those of the data in less than half of the rows.

    The data set's own labels are a check of the order of rows: shuffled rows agree with them about as often
    as chance, labels with errors far more often than in half of the images.

    Raises:
        UsageError: they agree less often.
    """
    agreement = float((given == data.labels).mean()) if len(given) else 1.0
    if agreement < AGREEING:
        raise UsageError(label_mismatch(given, data, agreement))


def positions_by_name(array: NDArray[Any], data: Dataset) -> Ints:
    """Labels as text, by the names of the classes.

    Raises:
        UsageError: a name is not that of a class.
    """
    names = [str(name) for name in array.reshape(-1).tolist()]
    distinct = sorted(set(names))
    place = dict(zip(distinct, places_of_classes(distinct, data.classes), strict=True))
    unknown = [name for name in distinct if place[name] < 0]
    if unknown or array.shape != (len(data),):
        raise UsageError(
            f"Expected {len(data)} labels among {list(data.classes)[:12]}, received {unknown[:5]} "
            f"in an array of shape {array.shape}."
        )
    return np.array([place[name] for name in names], dtype=np.int64)


def whole_number_labels(array: NDArray[Any], n: int) -> Ints:
    """Labels as int64 (n,); whole numbers may be stored as floats.

    Raises:
        UsageError: they are not n whole numbers.
    """
    whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool((array % 1 == 0).all()))
    if array.shape != (n,) or not whole:
        raise UsageError(
            f"Expected labels as {n} whole numbers or names of classes, received {array.dtype} of shape "
            f"{array.shape}.{' One-hot rows become labels with argmax(axis=1).' if array.ndim == 2 else ''}"
        )
    return array.astype(np.int64)


def label_mismatch(given: Ints, data: Dataset, agreement: float) -> str:
    """The message for labels that differ from the data's: classes numbered otherwise, or rows reordered."""
    counts = confusion_counts(data.labels, given, data.k)
    rows, columns = linear_sum_assignment(-counts)
    renamed = float(counts[rows, columns].sum() / max(len(given), 1))
    if renamed > 0.9:
        order = [data.classes[c] for c in np.argsort(columns)]
        return (
            f"Expected the classes in the order {list(data.classes)[:12]}, but the labels of the file agree "
            f"with those of the data set in {agreement:.1%} of {len(given)} rows, and in {renamed:.1%} if "
            f"its classes are in the order {order[:12]}. Add an array classes with the names in your order."
        )
    return (
        "Expected rows in the official order, but the labels of the file agree with those of the data set "
        f"in {agreement:.1%} of {len(given)} rows. Sort the rows, add a column of file names, or choose the "
        "split that they belong to."
    )


def require_own_order(logits: Floats, data: Dataset) -> None:
    """Refuse columns that are not in the order of the classes.

    If columns are permuted, almost no image of a class is predicted as its own column, and most as one other
    column, a different one for each class. A model that swaps two classes on most of their images would look
    the same; named columns are never refused.

    Raises:
        UsageError: the columns seem permuted; the message gives the order that fits.
    """
    chosen = logits.argmax(axis=1)
    counts = confusion_counts(data.labels, chosen, data.k)
    columns = fitting_columns(counts)
    if not (each_class_moved(counts, columns) or order_fits_other_half(chosen, data)):
        return
    order = [""] * data.k
    for own, column in enumerate(columns):
        order[column] = data.classes[own]
    now = float(np.diag(counts).sum() / len(data))
    then = float(counts[np.arange(data.k), columns].sum() / len(data))
    raise UsageError(
        f"Expected the columns in the order of the classes {list(data.classes)[:12]}; with it {now:.1%} "
        f"of {len(data)} images are right, and {then:.1%} in the order {order[:12]}. The columns seem to "
        "be permuted. Reorder them, or name them: an array classes in the .npz, or a table with a column "
        "for each class."
    )


def fitting_columns(counts: Ints) -> Ints:
    """The column (k,) of each class with which the mean recall is largest, of a confusion matrix (k, k)."""
    recall = counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    return np.asarray(linear_sum_assignment(-recall)[1], dtype=np.int64)


def each_class_moved(counts: Ints, columns: Ints) -> bool:
    """Whether each class that has another column is found there and not in its own, on enough images."""
    total, own = counts.sum(axis=1), np.arange(len(counts))
    recall = counts / np.maximum(total, 1)[:, None]
    moved = np.flatnonzero(columns != own)
    moved = moved[recall[moved, columns[moved]] > STAYED]
    enough = len(moved) > 1 and set(columns[moved]) == set(moved) and bool((total[moved] >= LEAST).all())
    there, here = recall[moved, columns[moved]], recall[moved, moved]
    return enough and bool((there >= MOVED).all() and (here <= STAYED).all())


def order_fits_other_half(chosen: Ints, data: Dataset) -> bool:
    """Whether the order that fits half of the images holds for the other half, and the own order does not.

    It also works if each class has few images, on which some order always fits by chance.
    """
    half = np.empty(len(data), dtype=np.int64)
    for label in range(data.k):
        rows = np.flatnonzero(data.labels == label)
        half[rows] = np.arange(len(rows)) % 2
    then = np.zeros(len(data), dtype=bool)
    for part in (0, 1):
        seen = half != part
        columns = fitting_columns(confusion_counts(data.labels[seen], chosen[seen], data.k))
        then[half == part] = columns[data.labels[half == part]] == chosen[half == part]
    now = chosen == data.labels
    return more_often(then, now, alarm=ALARM) and float(then.mean()) >= MOVED and float(now.mean()) <= STAYED
