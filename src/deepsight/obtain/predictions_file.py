"""Predictions that were made elsewhere: read from a file, and believed only as far as they can be checked."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.errors import UsageError, near_names
from deepsight.core.predictions import Predictions

KNOWN = ("probs", "logits", "labels", "features")
SUM_TOLERANCE = 1e-3  # what rounding to float16 can do to the sum of a row
SMALLEST = 1e-12  # a probability of 0 has no finite logit; this takes its place

Arrays = dict[str, NDArray[Any]]


def read_predictions(file: Path, n: int, k: int, labels: Ints) -> Predictions:
    """The predictions in an .npz file, its rows in the official order of the split.

    The file holds either `probs` or `logits` (n, k), and may hold `labels` (n,), the given labels as
    positions of classes, and `features` (n, d). The name says what an array is; what contradicts its name is
    refused, with the numbers.

    Args:
        n, k: images of the split, and classes of the data set.
        labels: int64 (n,), the labels of the data set, used where the file has none.

    Returns:
        Predictions with ids 0 to n - 1; d is 0 where the file has no features. Probabilities become logits
        by the logarithm, and those below 1e-12 are raised to it.

    Raises:
        UsageError: the file cannot be read, or its content is not as above.
    """
    arrays = read_arrays(file)
    require_known_arrays(file, arrays)
    given = checked_labels(arrays["labels"], n, k, labels) if "labels" in arrays else labels
    features = arrays["features"] if "features" in arrays else np.empty((n, 0), dtype=np.float32)
    require_numbers("features", features, (n, features.shape[-1] if features.ndim == 2 else -1))
    if "probs" in arrays:
        logits = np.log(np.maximum(checked_probabilities(arrays["probs"], n, k), SMALLEST))
    else:
        logits = checked_logits(arrays["logits"], n, k)
    return Predictions(
        ids=np.arange(n),
        labels=given,
        logits=logits.astype(np.float32),
        features=features if features.dtype == np.float16 else features.astype(np.float32),
    )


def read_arrays(file: Path) -> Arrays:
    """All arrays of an .npz file; pickled objects are never loaded."""
    if not file.is_file():
        raise UsageError(f"Expected predictions in {file}, found no such file.")
    try:
        with file.open("rb") as handle, NpzFile(handle, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (BadZipFile, ValueError, EOFError, OSError) as error:
        raise UsageError(
            f"Expected {file} to be an .npz file of plain arrays, but it cannot be read as one ({error}). "
            "Write it with numpy.savez(FILE, probs=probs)."
        ) from error


def require_known_arrays(file: Path, arrays: Arrays) -> None:
    """Refuse a file with both or neither of probs and logits, or with a name that means nothing here."""
    for name in arrays:
        if name not in KNOWN:
            raise UsageError(
                f"Expected the arrays {', '.join(KNOWN)} in {file}, received '{name}'; "
                f"{near_names(name, list(KNOWN))}"
            )
    outputs = [name for name in ("probs", "logits") if name in arrays]
    if len(outputs) != 1:
        raise UsageError(
            f"Expected one of probs and logits in {file}, received {' and '.join(outputs) or 'neither'}. "
            "Keep the one that your model puts out."
        )


def require_numbers(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Refuse another shape, another kind of number, NaN and infinity."""
    if array.shape != shape:
        raise UsageError(
            f"Expected {name} of shape {shape_words(shape)}, received {array.shape}. "
            "Every image of the split needs its row, in the official order."
        )
    if array.dtype.kind not in "fiu":
        raise UsageError(f"Expected numbers in {name}, received {array.dtype}.")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise UsageError(
            f"Expected finite numbers in {name}, received NaN or infinity in {bad.sum()} of {len(array)} "
            f"rows, the first {int(bad.argmax())}."
        )


def shape_words(shape: tuple[int, ...]) -> str:
    """A shape in which -1 stands for any length."""
    return "(" + ", ".join("d" if side < 0 else str(side) for side in shape) + ")"


def checked_probabilities(array: NDArray[Any], n: int, k: int) -> NDArray[np.float64]:
    """Rows of probabilities that sum to 1, float64 (n, k); or a refusal."""
    require_numbers("probs", array, (n, k))
    values = array.astype(np.float64)
    outside = ((values < 0) | (values > 1)).any(axis=1)
    if outside.any():
        raise UsageError(
            f"Expected probs between 0 and 1, received values from {values.min():.4g} to {values.max():.4g}, "
            f"outside in {outside.sum()} of {n} rows. If these are logits, name the array logits."
        )
    total = values.sum(axis=1)
    off = np.abs(total - 1) > SUM_TOLERANCE
    if off.any():
        raise UsageError(
            f"Expected every row of probs to sum to 1 within {SUM_TOLERANCE}, received {off.sum()} of {n} "
            f"rows that do not, with sums from {total.min():.4g} to {total.max():.4g}."
        )
    return values


def checked_logits(array: NDArray[Any], n: int, k: int) -> NDArray[np.float64]:
    """Logits, float64 (n, k); or a refusal, also where every row is a distribution."""
    require_numbers("logits", array, (n, k))
    values = array.astype(np.float64)
    if n and (values >= 0).all() and (np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE).all():
        raise UsageError(
            f"Expected unnormalised logits, received {n} of {n} rows that lie between 0 and 1 and sum to 1. "
            "These are probabilities: name the array probs."
        )
    return values


def checked_labels(array: NDArray[Any], n: int, k: int, labels: Ints) -> Ints:
    """The labels of the file, int64 (n,); or a refusal.

    The data set's own labels are a check of the order of rows: shuffled rows agree with them about as often
    as chance, labels with errors far more often than in half of the images.
    """
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise UsageError(
            f"Expected labels as {n} whole numbers, received {array.dtype} of shape {array.shape}."
        )
    given = array.astype(np.int64)
    unknown = (given < 0) | (given >= k)
    if unknown.any():
        names = ", ".join(str(value) for value in np.unique(given[unknown])[:5])
        raise UsageError(
            f"Expected labels from 0 to {k - 1}, received the unknown labels {names} "
            f"in {unknown.sum()} of {n} rows."
        )
    agreement = float((given == labels).mean()) if n else 1.0
    if agreement < 0.5:
        raise UsageError(
            "Expected rows in the official order, but labels of the file agree with those of the data set "
            f"in {agreement:.1%} of {n} rows. Sort the rows, or choose the split that they belong to."
        )
    return given
