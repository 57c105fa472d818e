"""Files of predictions as people write them: .npz, .npy, CSV, TSV, Parquet and JSON Lines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.errors import UsageError, near_names
from deepsight.core.files.damage import damage_as
from deepsight.obtain.predictions.class_names import places_of_classes
from deepsight.obtain.predictions.column_names import (
    AFFIXES,
    CHOICES,
    FILES,
    LABELS,
    NESTED,
    PROBABILITIES,
    Kind,
    class_columns,
    confidence_column,
    file_column,
    numbered_columns,
    one_of_two,
)
from deepsight.obtain.predictions.nested import lists_of_text, outputs_of_cells, turned_if_by_file
from deepsight.obtain.readers.table_file import (
    SUFFIXES,
    named_column,
    read_table_file,
    text_column,
)

Arrays = dict[str, NDArray[Any]]

PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
OUTPUTS = ("logits", "probs", "unnamed", "arr_0", "pred")  # what says most comes first
KNOWN = ("probs", "logits", "pred", "confidence", "files", "labels", "features", "classes")


@dataclass(frozen=True)
class GivenPredictions:
    """What a file holds, before anything is believed of it.

    Attributes:
        outputs: (m, k), numbers, columns in the order of the classes; None where there is only a choice.
        kind: what the file says that these are; "unnamed" where their values must tell.
        predicted: int64 (m,), the chosen class, where there is no more.
        confidence: (m,), of the chosen class.
        columns: the names of the columns, where the file names them.
        files, labels, features: (m, …), where the file holds them.
        unused: columns of a table that mean nothing here.
        notes: sentences on what was read in which way.
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
        """These rows, in this order."""
        arrays = ("outputs", "predicted", "confidence", "labels", "features")
        picked: dict[str, Any] = {
            name: None if (a := getattr(self, name)) is None else a[rows] for name in arrays
        }
        files = None if self.files is None else [self.files[row] for row in rows]
        return replace(self, files=files, **picked)


def read_given(file: Path, classes: tuple[str, ...]) -> GivenPredictions:
    """The content of a file of predictions, its columns in the order of these classes.

    Raises:
        UsageError: the file cannot be read, or its names and shapes mean nothing here.
    """
    if not file.is_file():
        raise UsageError(
            f"Expected predictions in {file}, found {'a folder' if file.is_dir() else 'no such file'}."
        )
    if file.suffix.lower() in PICKLED:
        raise UsageError(
            f"Expected predictions as plain numbers, received {file.name}: opening such a file could run "
            "code. Write it with numpy.savez(FILE, probs=probs, files=files)."
        )
    if file.suffix.lower() in SUFFIXES:
        return read_prediction_table(file, classes)
    arrays = with_usual_names(read_arrays(file))
    require_known_arrays(file, arrays)
    given = given_of_arrays(arrays, classes)
    require_equal_lengths(given)
    require_agreement(given, arrays, classes)
    return given


def with_usual_names(arrays: Arrays) -> Arrays:
    """The arrays under the names that are used here, where the file calls them as other programs do."""
    chosen = any(name in CHOICES and array.ndim == 1 for name, array in arrays.items())
    found: Arrays = {}
    for name, array in arrays.items():
        meant = name
        if name in LABELS:
            meant = "labels"
        elif name in PROBABILITIES:
            meant = "confidence" if array.ndim == 1 and chosen else "probs"
        elif name in CHOICES:
            meant = "pred" if array.ndim == 1 else "unnamed"
        found[name if meant in arrays or meant in found else meant] = array
    return found


def require_agreement(given: GivenPredictions, arrays: Arrays, classes: tuple[str, ...]) -> None:
    """Refuse a file in which two arrays choose different classes for an image.

    Raises:
        UsageError: it is so.
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
                f"Expected one choice for each image, but {name} and the other outputs choose different "
                f"classes in {differ} of {len(values)} rows. Keep the array that your model puts out."
            )


def read_arrays(file: Path) -> Arrays:
    """All arrays of an .npz file, or the one of an .npy file; pickled objects are never loaded."""
    with damage_as(partial(not_as_expected, file)), file.open("rb") as handle:
        if file.suffix.lower() == ".npy":
            return {"unnamed": np.load(handle, allow_pickle=False)}
        with NpzFile(handle, allow_pickle=False) as content:
            return {name: as_text(plain_array(content, name)) for name in content.files}


def plain_array(content: "NpzFile[Any]", name: str) -> NDArray[Any]:
    """An array of the file.

    Raises:
        ValueError: it holds objects of Python, which could run code.
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
    """Bytes as the text that they spell; any other array as it is."""
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def not_as_expected(file: Path, why: str) -> UsageError:
    """The sentence for a file that holds no arrays."""
    return UsageError(
        f"Expected {file} to be an .npz file of plain arrays, or a table that ends in "
        f"{', '.join(SUFFIXES)}, but it cannot be read as one ({why}). "
        "Write it with numpy.savez(FILE, probs=probs, files=files)."
    )


def require_known_arrays(file: Path, arrays: Arrays) -> None:
    """Refuse a file with both or none of probs, logits and pred, or with a name that means nothing here."""
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
            "Keep the one that your model puts out."
        )


def given_of_arrays(arrays: Arrays, classes: tuple[str, ...]) -> GivenPredictions:
    """The arrays of an .npz file."""
    files = next((arrays[name] for name in FILES if name in arrays), None)
    given = GivenPredictions(
        files=None if files is None else [str(name) for name in files.reshape(-1).tolist()],
        labels=arrays.get("labels"),
        features=arrays.get("features"),
        confidence=arrays.get("confidence"),
    )
    if "features" in arrays:
        require_matrix("features", arrays["features"], None)
    name = next(name for name in OUTPUTS if name in arrays)
    if name == "pred":
        return replace(given, predicted=chosen_classes(arrays["pred"].reshape(-1).tolist(), classes))
    kind: Kind = "probs" if name == "probs" else "logits" if name == "logits" else "unnamed"
    columns = tuple(str(c) for c in arrays["classes"].tolist()) if "classes" in arrays else None
    outputs = with_second_class(arrays[name], len(classes), kind)
    require_matrix(name, outputs, len(classes))
    return replace(given, outputs=in_order(outputs, columns, classes), kind=kind, columns=columns)


def with_second_class(array: NDArray[Any], k: int, kind: Kind) -> NDArray[Any]:
    """Of two classes, the probability or the logit of the second alone becomes a column for each.

    Numbers that all lie between 0 and 1 are probabilities, unless they are named logits.
    """
    if k != 2 or array.dtype.kind not in "fiu" or not (array.ndim == 1 or array.shape[1:] == (1,)):
        return array
    second = array.reshape(-1).astype(np.float64)
    shares = kind == "probs" or (kind == "unnamed" and bool(((second >= 0) & (second <= 1)).all()))
    return np.stack([1 - second if shares else np.zeros(len(second)), second], axis=1)


def require_matrix(name: str, array: NDArray[Any], k: int | None) -> None:
    """Refuse another shape than (n, k), and what holds no numbers."""
    if array.ndim != 2 or (k is not None and array.shape[1] != k):
        hints = {
            array.ndim == 2 and array.shape[0] == k: " Transpose it.",
            array.ndim == 3 and array.shape[-1] == k: " Join the batches: reshape(-1, k).",
        }
        raise UsageError(
            f"Expected {name} of shape (n, {'d' if k is None else k}), a column for each "
            f"{'feature' if k is None else 'class'}, received {array.shape}.{hints.get(True, '')}"
        )
    if array.dtype.kind not in "fiub":
        raise UsageError(f"Expected numbers in {name}, received {array.dtype}.")


def in_order(
    outputs: NDArray[Any], columns: tuple[str, ...] | None, classes: tuple[str, ...]
) -> NDArray[Any]:
    """The columns in the order of the classes, by name where the file names them.

    Raises:
        UsageError: the names are not those of the classes.
    """
    if columns is None:
        return outputs
    places = places_of_classes(columns, classes)
    if sorted(places) != list(range(len(classes))):
        raise UsageError(f"Expected classes {list(classes)[:12]}, received {list(columns)[:12]}.")
    return outputs[:, np.argsort(places)]


def chosen_classes(values: Sequence[Any], classes: tuple[str, ...]) -> Ints:
    """Chosen classes as positions: by name, or as whole numbers.

    Raises:
        UsageError: a value is neither.
    """
    numbers = {str(i): i for i in range(len(classes))} if not set(classes) & {"0", "1"} else {}
    names = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]
    distinct = sorted(set(names))
    place = dict(zip(distinct, places_of_classes(distinct, classes), strict=True))
    place = {name: numbers.get(name, -1) if found < 0 else found for name, found in place.items()}
    if unknown := [name for name in distinct if place[name] < 0]:
        raise UsageError(
            f"Expected predictions among the classes {list(classes)[:12]}, received {unknown[:5]}."
        )
    return np.array([place[name] for name in names], dtype=np.int64)


def require_equal_lengths(given: GivenPredictions) -> None:
    """Refuse arrays with different numbers of rows."""
    columns = {name: getattr(given, name) for name in ("files", "labels", "features", "confidence")}
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if wrong := {name: n for name, n in lengths.items() if n != given.n}:
        raise UsageError(f"Expected {given.n} rows in every array of predictions, received {wrong}.")


def read_prediction_table(file: Path, classes: tuple[str, ...]) -> GivenPredictions:
    """A table of predictions: a column per class, or a column of chosen classes."""
    frame = turned_if_by_file(read_table_file(file))
    numbered = numbered_columns(frame, classes)
    if frame.columns == list(numbered):  # as pandas heads an array
        return GivenPredictions(outputs=numeric_columns(frame, numbered))
    frame = frame.rename(class_columns(frame.columns, classes))
    if all(is_number(name) for name in frame.columns):  # no header: np.savetxt writes none
        values = read_table_file(file, header=False).to_numpy()
        require_matrix("the table", values, len(classes))
        return GivenPredictions(outputs=values)
    files = file_column(frame.drop(classes, strict=False))
    labels = named_column(frame.drop(classes, strict=False), LABELS)
    given = GivenPredictions(
        files=None if files is None else [name or "" for name in text_column(frame, files)],
        labels=None if labels is None else label_array(frame, labels),
    )
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
        return replace(given, outputs=outputs, kind=kind, columns=classes, unused=unused, notes=(note,))
    return chosen_in_table(given, frame, classes)


def label_array(frame: pl.DataFrame, name: str) -> NDArray[Any]:
    """Labels as text, or as numbers where the column holds numbers."""
    column = frame[name]
    return (
        column.to_numpy() if column.dtype.is_numeric() else np.array([str(v) for v in column], dtype=object)
    )


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def numeric_columns(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    """Columns as a matrix; an empty cell is NaN.

    Raises:
        UsageError: a column holds text.
    """
    for name in names:
        if not (frame[name].dtype.is_numeric() or frame[name].dtype == pl.Boolean):
            first = frame[name].drop_nulls().to_list()[:1]
            said = f" such as {first[0]!r}" if first and isinstance(first[0], str) else ""
            raise UsageError(
                f"Expected numbers in the column '{name}', received {frame[name].dtype}{said}. Write them as "
                "0.87: without %, and with a point where the columns are separated by commas."
            )
    return np.asarray(frame.select(pl.col(names).cast(pl.Float64)).to_numpy(), dtype=np.float64)


def chosen_in_table(
    given: GivenPredictions, frame: pl.DataFrame, classes: tuple[str, ...]
) -> GivenPredictions:
    """A table with the chosen class of each image.

    Raises:
        UsageError: there is no such column either.
    """
    choice, said = named_column(frame, CHOICES), confidence_column(frame, len(classes))
    if choice is None:
        missing = [name for name in classes if name not in frame.columns]
        label = named_column(frame, LABELS)
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
