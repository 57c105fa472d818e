"""Many new images at once: calibrated probabilities, what to reject, and how unfamiliar an image is."""

import csv
import glob
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import atomic_path, remove_leftovers_of
from deepsight.core.files.damage import damage_as
from deepsight.core.files.spreadsheet import guarded_frame, unguarded
from deepsight.core.predictions import softmax
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.core.statistics.intervals import wilson
from deepsight.interpret.error_analysis.calibration import fit_temperature
from deepsight.interpret.error_analysis.risk_coverage import risk_coverage_area, threshold_for_accuracy
from deepsight.model.predict import Predictor
from deepsight.workflows.context import Context, opened_context
from deepsight.workflows.predict import BLOCK, read_picture, training_predictions, unit
from deepsight.workflows.trained_model import open_trained

ENDINGS = frozenset([".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"])
FILE_COLUMNS = ("file", "path", "image", "filename", "file_name")
TARGETS = (0.95, 0.99)  # accuracies for which a threshold is offered
WRITERS = {".csv": "write_csv", ".jsonl": "write_ndjson", ".parquet": "write_parquet"}


@dataclass(frozen=True)
class Reference:
    """What new images are compared with.

    Attributes:
        temperature: the divisor of the logits that calibrates them on validation.
        features: (m, d), of training images, rows of length 1.
        distances: (v,), sorted, of validation images to the nearest training image; 1 minus the cosine.
    """

    temperature: float
    features: NDArray[np.float64]
    distances: NDArray[np.float64]


def predict_many(
    run_folder: str | Path, images: Sequence[str], *, reject_below: float = 0.0, log: Log = silent
) -> pl.DataFrame:
    """Classify any number of images.

    Args:
        run_folder: the folder of a run with a trained model.
        images: files, folders, patterns such as "new/*.jpg", CSV files with a column of files, or "-" for
            one file per line on standard input.
        reject_below: the calibrated confidence below which an image is rejected, 0 to 1.
        log: receives what the user should know.

    Returns:
        One row per image: file, label, confidence (calibrated), rejected, unfamiliarity (the share of
        validation images that lie nearer to the training images, 0 to 1), error (why the file could not be
        read, else null), and the calibrated probability of each class as `p_CLASS`.

    Raises:
        DeepSightError: the run has no model.
        UsageError: there is no image, or a threshold outside 0 to 1.
    """
    if not 0 <= reject_below <= 1:
        raise UsageError(f"Expected --reject-below from 0 to 1, received {reject_below}.")
    files = expand_paths(images)
    run, predictor, classes = open_trained(Path(run_folder))
    reference = make_reference(opened_context(run, log), predictor)
    record = run.read_json("data.json")
    shape, fit = tuple(record["image_shape"][:2]), record.get("fit", "crop")
    rows: list[dict[str, Any]] = []
    for start in range(0, len(files), BLOCK):
        read = [(file, *read_or_why(file, shape, fit)) for file in files[start : start + BLOCK]]
        rows += rows_of_block(read, predictor, classes, reference, reject_below)
    schema = {"file": pl.String, "label": pl.String, "confidence": pl.Float64, "rejected": pl.Boolean}
    schema |= {"unfamiliarity": pl.Float64, "error": pl.String}
    return pl.DataFrame(rows, schema=schema | {f"p_{name}": pl.Float64 for name in classes})


def expand_paths(images: Sequence[str]) -> list[Path]:
    """The files that the arguments stand for, each once, in order.

    Raises:
        UsageError: an argument stands for no file.
    """
    found: dict[Path, None] = {}
    for argument in images:
        files = list(files_of(argument))
        if not files:
            raise UsageError(f"Expected images in '{argument}', found none.")
        found |= dict.fromkeys(files)
    if not found:
        raise UsageError("Expected at least one image, received none.")
    return list(found)


def files_of(argument: str) -> Iterator[Path]:
    """The files of one argument."""
    path = Path(argument)
    if argument == "-":
        yield from (Path(line.strip()) for line in sys.stdin if line.strip())
    elif path.is_dir():
        yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    elif path.suffix.lower() == ".csv":
        yield from files_of_table(path)
    elif path.exists() or not glob.has_magic(argument):
        yield path
    else:
        yield from (Path(name) for name in sorted(glob.glob(argument, recursive=True)))


def files_of_table(path: Path) -> Iterator[Path]:
    """The column of files in a CSV; relative names are below the CSV's folder.

    Raises:
        UsageError: it cannot be read, or has no such column.
    """
    with (
        damage_as(
            lambda why: UsageError(f"Expected a CSV of files in {path}, but it cannot be read: {why}.")
        ),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name] if rows else []
    column = next((name for name in FILE_COLUMNS if name in names), None)
    if column is None:
        raise UsageError(f"Expected a column named {', '.join(FILE_COLUMNS)} in {path}, received {names}.")
    yield from (path.parent / unguarded(row[column]) for row in rows if row[column])


def read_or_why(file: Path, shape: Any, fit: Any) -> tuple[NDArray[np.uint8] | None, str | None]:
    """The picture, or why it cannot be read; one bad file does not stop the others."""
    try:
        return read_picture(file, shape, fit), None
    except DeepSightError as error:
        return None, str(error)


def rows_of_block(
    read: Sequence[tuple[Path, NDArray[np.uint8] | None, str | None]], predictor: Predictor,
    classes: Sequence[str], reference: Reference, reject_below: float,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row per file of a block."""
    pixels = [picture for _, picture, _ in read if picture is not None]
    said: Iterator[tuple[NDArray[np.float64], float]] = iter(())
    if pixels:
        features = predictor.features(np.stack(pixels), name="predict")
        probabilities = softmax(predictor.logits_of(features) / reference.temperature)
        said = iter(zip(probabilities, unfamiliarity(features, reference), strict=True))
    rows = []
    for file, picture, why in read:
        row: dict[str, Any] = {"file": str(file), "error": why}
        if picture is not None:
            of_image, far = next(said)
            best = int(of_image.argmax())
            row |= {"label": classes[best], "confidence": float(of_image[best]), "unfamiliarity": float(far)}
            row |= {"rejected": bool(of_image[best] < reject_below)}
            row |= {f"p_{name}": float(p) for name, p in zip(classes, of_image, strict=True)}
        rows.append(row)
    return rows


def make_reference(context: Context, predictor: Predictor) -> Reference:
    """The temperature and the distances of validation images, from what the run stored."""
    validation = context.run.predictions("val")
    train = unit(training_predictions(context, predictor, context.splits.train).features)
    distances = np.sort(nearest_distance(validation.features, train))
    return Reference(fit_temperature(validation.logits, validation.labels), train, distances)


def nearest_distance(features: NDArray[np.floating], train: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 minus the cosine to the nearest training image, (n,)."""
    rows = unit(features)
    blocks = [rows[start : start + 1024] @ train.T for start in range(0, len(rows), 1024)]
    return np.asarray(1 - np.concatenate([block.max(axis=1) for block in blocks]))


def unfamiliarity(features: NDArray[np.floating], reference: Reference) -> NDArray[np.float64]:
    """The share of validation images that lie nearer to the training images, (n,), 0 to 1."""
    below = np.searchsorted(reference.distances, nearest_distance(features, reference.features))
    return np.asarray(below / max(len(reference.distances), 1))


def rejection_sentences(run: Run) -> list[str]:
    """What rejection buys on the test set, with thresholds chosen on validation."""
    val, test = run.predictions("val"), run.predictions("test")
    temperature = fit_temperature(val.logits, val.labels)
    confidence = softmax(test.logits / temperature).max(axis=1)
    correct = test.predicted == test.labels
    said = [f"AURC on {len(test):,} test images: {risk_coverage_area(confidence, correct):.4f}."]
    for target in TARGETS:
        chosen = threshold_for_accuracy(
            softmax(val.logits / temperature).max(axis=1), val.predicted == val.labels, target
        )
        if chosen is None:
            said.append(f"No threshold reaches an accuracy of {target:.0%} on validation.")
            continue
        kept = confidence >= chosen
        low, high = wilson(int(correct[kept].sum()), int(kept.sum()))
        said.append(
            f"--reject-below {chosen:.3f} aims at {target:.0%}: on test it keeps {kept.mean():.1%} with an "
            f"accuracy of {correct[kept].mean():.1%} ({float(low):.1%} to {float(high):.1%})."
        )
    return said


def write_predictions(frame: pl.DataFrame, out: Path) -> None:
    """Write CSV, JSON Lines or Parquet, as the file's name ends.

    Raises:
        UsageError: another ending.
    """
    require_ending(out)
    ending = out.suffix.lower()
    remove_leftovers_of(out)
    with atomic_path(out) as path, path.open("wb") as file:
        getattr(guarded_frame(frame) if ending == ".csv" else frame, WRITERS[ending])(file)


def require_ending(out: Path) -> None:
    """Refuse a file whose format its name does not say."""
    if out.suffix.lower() not in WRITERS:
        raise UsageError(f"Expected --out to end in {', '.join(WRITERS)}, received '{out}'.")
