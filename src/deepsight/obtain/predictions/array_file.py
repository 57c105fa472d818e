"""Predictions in .npz and .npy files."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.errors import UsageError, near_names
from deepsight.core.files.damage import damage_as
from deepsight.obtain.predictions.class_names import places_of_classes
from deepsight.obtain.predictions.column_names import (
    CHOICES,
    FEATURES,
    FILES,
    LABELS,
    PROBABILITIES,
    SCORES,
    Kind,
)
from deepsight.obtain.predictions.given import GivenPredictions, chosen_classes, require_matrix
from deepsight.obtain.readers.tables.table_file import SUFFIXES

Arrays = dict[str, NDArray[Any]]
OUTPUTS = ("logits", "probs", "unnamed", "arr_0", "pred")  # the most informative first
KNOWN = ("probs", "logits", "pred", "confidence", "files", "labels", "features", "classes")


def with_usual_names(arrays: Arrays) -> Arrays:
    """The arrays, with the names that other programs use replaced by ours."""
    chosen = any(name in CHOICES and is_choice(array) for name, array in arrays.items())
    found: Arrays = {}
    for name, array in arrays.items():
        meant = name
        if name in LABELS:
            meant = "labels"
        elif name in PROBABILITIES:
            meant = "confidence" if array.ndim == 1 and chosen else "probs"
        elif name in SCORES:
            meant = "confidence" if array.ndim == 1 and chosen else "unnamed"
        elif name in FEATURES:
            meant = "features"
        elif name in (*CHOICES, "unnamed"):
            meant = "pred" if is_choice(array) else "unnamed"
        found[name if meant in arrays or meant in found else meant] = array
    return found


def is_choice(array: NDArray[Any]) -> bool:
    """Whether an array holds one class per row, by name or number: (n,) or (n, 1), and no scores."""
    if array.ndim == 0 or not len(array) or array.size != len(array):
        return False
    whole = array.dtype.kind in "biuf" and bool((array >= 0).all()) and bool((array % 1 == 0).all())
    return array.dtype.kind == "U" or whole


def require_agreement(given: GivenPredictions, arrays: Arrays, classes: tuple[str, ...]) -> None:
    """Refuse a file in which two arrays predict different classes for an image.

    Raises:
        UsageError: two arrays disagree.
    """
    if given.outputs is None:
        return
    values = given.numbers()
    most, rows = values.max(axis=1), np.arange(len(values))
    others: dict[str, Ints] = {}
    if "pred" in arrays:
        others["pred"] = chosen_classes(arrays["pred"].reshape(-1).tolist(), classes)
    if "probs" in arrays and "logits" in arrays:
        probs = with_second_class(arrays["probs"], len(classes), "probs")
        others["probs"] = in_order(probs, given.columns, classes).argmax(axis=1)
    for name, other in others.items():
        same_length = len(other) == len(values)
        differ = int((values[rows, other] < most).sum()) if same_length else len(values)
        if differ:
            raise UsageError(
                f"Expected one prediction for each image, but {name} and the other outputs predict different "
                f"classes in {differ} of {len(values)} rows. Keep the array that your model outputs."
            )


def read_arrays(file: Path) -> Arrays:
    """All arrays of an .npz file, or that of an .npy file; pickled objects are never loaded.

    Raises:
        UsageError: the file cannot be read.
    """
    with damage_as(partial(unreadable_arrays, file)), file.open("rb") as handle:
        if file.suffix.lower() == ".npy":
            return {"unnamed": np.load(handle, allow_pickle=False)}
        with NpzFile(handle, allow_pickle=False) as content:
            return {name: as_text(plain_array(content, name)) for name in content.files}


def plain_array(content: "NpzFile[Any]", name: str) -> NDArray[Any]:
    """An array of the file.

    Raises:
        ValueError: it holds Python objects, which could run code.
    """
    try:
        return np.asarray(content[name])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise ValueError(
            f"{name} are Python objects; write text with {name}.astype(str), numbers with .astype(float)"
        ) from error


def as_text(array: NDArray[Any]) -> NDArray[Any]:
    """An array of bytes decoded to text; any other array unchanged."""
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def unreadable_arrays(file: Path, why: str) -> UsageError:
    """The error for a file that cannot be read as arrays."""
    return UsageError(
        f"Expected {file} to be an .npz file of plain arrays, or a table that ends in "
        f"{', '.join(SUFFIXES)}, but it cannot be read as one ({why}). "
        "Write it with numpy.savez(FILE, probs=probs, files=files)."
    )


def require_known_arrays(file: Path, arrays: Arrays) -> None:
    """Refuse a file with an unknown array, with no outputs, or with several that exclude each other.

    Raises:
        UsageError: it is one of these.
    """
    known = [*KNOWN, "unnamed", "arr_0", *FILES]
    for name in arrays:
        if name not in known:
            raise UsageError(
                f"Expected the arrays {', '.join(KNOWN)} in {file}, received '{name}'; "
                f"{near_names(name, list(KNOWN))}"
            )
    outputs = [name for name in OUTPUTS if name in arrays]
    if not outputs or ("pred" not in outputs and set(outputs) - {"probs", "logits"} and len(outputs) > 1):
        raise UsageError(
            f"Expected one of probs, logits and pred in {file}, received {' and '.join(outputs) or 'none'}. "
            "Keep the one that your model outputs."
        )


def given_of_arrays(arrays: Arrays, classes: tuple[str, ...]) -> GivenPredictions:
    """The predictions in the arrays of a file.

    Raises:
        UsageError: an array has the wrong shape, type or classes.
    """
    files = next((arrays[name] for name in FILES if name in arrays), None)
    given = GivenPredictions(
        files=None if files is None else [str(name) for name in files.reshape(-1).tolist()],
        labels=None if "labels" not in arrays else np.atleast_1d(arrays["labels"]),
        features=arrays.get("features"),
        confidence=None if "confidence" not in arrays else confidence_vector(arrays["confidence"]),
    )
    if "features" in arrays:
        require_matrix("features", arrays["features"], None)
    name = next(name for name in OUTPUTS if name in arrays)
    if name == "pred":
        return replace(given, predicted=chosen_classes(arrays["pred"].reshape(-1).tolist(), classes))
    kind: Kind = "probs" if name == "probs" else "logits" if name == "logits" else "unnamed"
    columns = tuple(str(c) for c in arrays["classes"].tolist()) if "classes" in arrays else None
    outputs = with_second_class(without_single_axes(arrays[name], len(classes)), len(classes), kind)
    require_matrix("the array" if name == "unnamed" else name, outputs, len(classes))
    return replace(given, outputs=in_order(outputs, columns, classes), kind=kind, columns=columns)


def without_single_axes(array: NDArray[Any], k: int) -> NDArray[Any]:
    """Outputs (n, k, 1, 1) or (n, 1, k) as (n, k); any other array unchanged."""
    single = array.ndim > 2 and array.size == len(array) * k and k in array.shape[1:]
    return array.reshape(len(array), k) if single else array


def confidence_vector(array: NDArray[Any]) -> NDArray[Any]:
    """Confidences (m,) or (m, 1) as (m,).

    Raises:
        UsageError: they have another shape, or are not numbers.
    """
    if array.dtype.kind not in "fiu" or array.ndim == 0 or array.size != len(array):
        raise UsageError(
            f"Expected confidence as one number for each image (m,), received {array.dtype} of shape "
            f"{array.shape}."
        )
    return array.reshape(-1)


def with_second_class(array: NDArray[Any], k: int, kind: Kind) -> NDArray[Any]:
    """For two classes, outputs (n,) or (n, 1) of the second class as columns for both (n, 2); else unchanged.

    Unnamed numbers that all lie between 0 and 1 are taken as probabilities.

    Raises:
        UsageError: probabilities reach from 0 to 100.
    """
    if k != 2 or array.dtype.kind not in "fiu" or not (array.ndim == 1 or array.shape[1:] == (1,)):
        return array
    second = array.reshape(-1).astype(np.float64)
    if kind == "probs" and len(second) and second.min() >= 0 and 1 < second.max() <= 100:
        raise UsageError(
            f"Expected probs between 0 and 1, received values from {second.min():.4g} to {second.max():.4g}: "
            "these are percentages. Divide them by 100."
        )
    shares = kind == "probs" or (kind == "unnamed" and bool(((second >= 0) & (second <= 1)).all()))
    return np.stack([1 - second if shares else np.zeros(len(second)), second], axis=1)


def in_order(
    outputs: NDArray[Any], columns: tuple[str, ...] | None, classes: tuple[str, ...]
) -> NDArray[Any]:
    """The columns in the order of the classes, by name if the file names them.

    Raises:
        UsageError: the names are not those of the classes.
    """
    if columns is None:
        return outputs
    places = places_of_classes(columns, classes)
    if sorted(places) != list(range(len(classes))):
        raise UsageError(f"Expected classes {list(classes)[:12]}, received {list(columns)[:12]}.")
    return outputs[:, np.argsort(places)]


def require_equal_lengths(given: GivenPredictions) -> None:
    """Refuse arrays with different numbers of rows.

    Raises:
        UsageError: the numbers differ.
    """
    columns = {name: getattr(given, name) for name in ("files", "labels", "features", "confidence")}
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if wrong := {name: n for name, n in lengths.items() if n != given.n}:
        raise UsageError(f"Expected {given.n} rows in every array of predictions, received {wrong}.")
