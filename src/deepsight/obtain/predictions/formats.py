"""Read files of predictions: .npz, .npy, CSV, TSV, Parquet, JSON and JSON Lines."""

from pathlib import Path

from deepsight.core.errors import UsageError
from deepsight.obtain.other_layouts import container_name
from deepsight.obtain.predictions.array_file import (
    given_of_arrays,
    read_arrays,
    require_agreement,
    require_equal_lengths,
    require_known_arrays,
    with_usual_names,
)
from deepsight.obtain.predictions.given import GivenPredictions
from deepsight.obtain.predictions.prediction_table import read_prediction_table
from deepsight.obtain.readers.tables.table_file import SUFFIXES, suffix_remedy

PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".joblib")


def read_given(file: Path, classes: tuple[str, ...]) -> GivenPredictions:
    """The content of a file of predictions, with columns in the order of these classes.

    Raises:
        UsageError: the file cannot be read, or its names or shapes are unknown.
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
    if remedy := remedy_of_suffix(file.name):
        raise UsageError(
            f"Expected predictions as .npz, .npy, {', '.join(SUFFIXES)}, received '{file.name}'. {remedy}"
        )
    arrays = with_usual_names(read_arrays(file))
    require_known_arrays(file, arrays)
    given = given_of_arrays(arrays, classes)
    require_equal_lengths(given)
    require_agreement(given, arrays, classes)
    return given


def remedy_of_suffix(name: str) -> str:
    """What to do with a file of predictions in a format that is not read; empty for an unknown suffix."""
    convert = "Write them with numpy.savez(FILE, probs=probs, files=files)."
    return suffix_remedy(name) or (convert if container_name(name) else "")
