"""The content of a file of predictions, before it is checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.errors import UsageError
from deepsight.obtain.predictions.class_names import places_or_numbers
from deepsight.obtain.predictions.column_names import Kind


@dataclass(frozen=True)
class GivenPredictions:
    """The content of a file of m predictions, before it is checked.

    Attributes:
        outputs: (m, k), with columns in the order of the classes; None if only classes are given.
        kind: what the outputs are by their name; "unnamed" if that must be inferred from their values.
        predicted: int64 (m,), the predicted classes, if there are no outputs.
        confidence: (m,), of the predicted classes; None if not given.
        columns: names of the columns of `outputs`; None if the file does not name them.
        files, labels, features: (m, …); None if not given.
        unused: columns of a table that are not used.
        notes: sentences on how ambiguous content was read.
    """

    outputs: NDArray[Any] | None = None
    kind: Kind = "unnamed"
    predicted: Ints | None = None
    confidence: NDArray[Any] | None = None
    columns: tuple[str, ...] | None = None
    files: Sequence[str] | None = None
    labels: NDArray[Any] | None = None
    features: NDArray[Any] | None = None
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """The number of rows."""
        given = self.outputs if self.outputs is not None else self.predicted
        return 0 if given is None else len(given)

    def numbers(self) -> Floats:
        """The outputs in float64."""
        return np.asarray(self.outputs, dtype=np.float64)

    def select(self, rows: Ints) -> "GivenPredictions":
        """The predictions at these positions, in this order."""
        arrays = ("outputs", "predicted", "confidence", "labels", "features")
        picked: dict[str, Any] = {
            name: None if (a := getattr(self, name)) is None else a[rows] for name in arrays
        }
        files = None if self.files is None else [self.files[row] for row in rows]
        return replace(self, files=files, **picked)


def require_matrix(name: str, array: NDArray[Any], k: int | None) -> None:
    """Refuse an array that is not a numeric matrix (n, k), or (n, d) if k is None.

    Raises:
        UsageError: its shape or type is wrong.
    """
    if array.ndim != 2 or (k is not None and array.shape[1] != k):
        hints = {
            array.ndim == 2 and array.shape[0] == k: " Transpose it.",
            array.ndim == 3
            and array.shape[-1] == k: " Join the batches: reshape(-1, k); average repeated passes.",
        }
        raise UsageError(
            f"Expected {name} of shape (n, {'d' if k is None else k}), a column for each "
            f"{'feature' if k is None else 'class'}, received {array.shape}.{hints.get(True, '')}"
        )
    if array.dtype.kind not in "fiub":
        raise UsageError(f"Expected numbers in {name}, received {array.dtype}.")


def chosen_classes(values: Sequence[Any], classes: tuple[str, ...]) -> Ints:
    """Predicted classes as positions, from class names, whole numbers, or truth values for two classes.

    Raises:
        UsageError: a value is missing, or neither a class name nor a valid position.
    """
    empty = [row for row, value in enumerate(values) if value is None or value == ""]
    if empty:
        raise UsageError(
            f"Expected a predicted class in each row, received none in {len(empty)} of {len(values)} rows, "
            f"the first {empty[0]}. Leave these rows out, or name the class."
        )
    names = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]
    distinct = sorted(set(names))
    place = dict(zip(distinct, places_or_numbers(distinct, classes), strict=True))
    numbers = {} if set(classes) & {"0", "1"} else {str(i): i for i in range(len(classes))}
    if set(distinct) <= set(numbers) and min(place.values()) < 0:
        place = {name: numbers[name] for name in distinct}  # all of them, though some may be names, too
    if len(classes) == 2:
        numbers |= {"False": 0, "false": 0, "True": 1, "true": 1}
    place = {name: numbers.get(name, -1) if found < 0 else found for name, found in place.items()}
    if unknown := [name for name in distinct if place[name] < 0]:
        from_one = unknown == [str(len(classes))] and "0" not in distinct
        hint = " They seem to start at 1: subtract 1." if from_one else ""
        raise UsageError(
            f"Expected predictions among the classes {list(classes)[:12]}, received {unknown[:5]}.{hint}"
        )
    return np.array([place[name] for name in names], dtype=np.int64)
