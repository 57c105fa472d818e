"""Many new images at once: calibrated probabilities, what to reject, and how unfamiliar an image is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import atomic_path, remove_leftovers_of
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.core.predictions import softmax
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.interpret.error_analysis.risk_coverage import rejection_tables
from deepsight.model.predict import Predictor
from deepsight.obtain.deep_files import tops_of_files
from deepsight.workflows.context import opened_context
from deepsight.workflows.predict.image_paths import expand_paths
from deepsight.workflows.predict.nearest_training import BLOCK
from deepsight.workflows.predict.predict import read_picture
from deepsight.workflows.predict.unfamiliarity import UNFAMILIAR, Familiarity, make_reference
from deepsight.workflows.trained_model import open_trained

UNLIKE, DOUBTFUL = "unlike the training images", "low confidence"  # why an image is rejected
WRITERS = {".csv": "write_csv", ".jsonl": "write_ndjson", ".parquet": "write_parquet"}


def predict_many(
    run_folder: str | Path, images: Sequence[str], *, reject_below: float = 0.0,
    reject_unfamiliar: float = UNFAMILIAR, log: Log = silent,
) -> pl.DataFrame:  # fmt: skip
    """Classify any number of images.

    Args:
        run_folder: the folder of a run with a trained model.
        images: files, folders, patterns such as "new/*.jpg", CSV files with a column of files, or "-" for
            one file per line on standard input.
        reject_below: the calibrated confidence below which an image is rejected, 0 to 1.
        reject_unfamiliar: the unfamiliarity from which on an image is rejected, 0 to 1. At 0.99 about one
            image in a hundred like those of validation is rejected. Above 1 none is.
        log: receives what the user should know.

    Returns:
        One row per image: file, label, confidence (calibrated), rejected, reason (of the rejection),
        unfamiliarity (the share of validation images that lie nearer to the training images, 0 to 1), error
        (why the file could not be read, else null), and the calibrated probability of each class as
        `p_CLASS`.

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
    tops = tops_of_files(files, record.get("bit_depths", {}))
    rows: list[dict[str, Any]] = []
    for start in range(0, len(files), BLOCK):
        block = files[start : start + BLOCK]
        read = [(file, *read_or_why(file, shape, fit, tops.get(file))) for file in block]
        rows += rows_of_block(read, predictor, classes, reference)
    frame = pl.DataFrame(rows, schema=SCHEMA | {f"p_{name}": pl.Float64 for name in classes})
    return with_rejections(frame, reject_below, reject_unfamiliar)


SCHEMA: dict[str, Any] = {
    "file": pl.String, "label": pl.String, "confidence": pl.Float64, "rejected": pl.Boolean,
    "reason": pl.String, "unfamiliarity": pl.Float64, "error": pl.String,
}  # fmt: skip


def with_rejections(frame: pl.DataFrame, reject_below: float, reject_unfamiliar: float) -> pl.DataFrame:
    """The rows with what is rejected, and why; unreadable files are neither."""
    unlike, doubtful = pl.col("unfamiliarity") >= reject_unfamiliar, pl.col("confidence") < reject_below
    reason = pl.when(unlike).then(pl.lit(UNLIKE)).when(doubtful).then(pl.lit(DOUBTFUL))
    return frame.with_columns(rejected=unlike | doubtful, reason=reason.otherwise(None))


def read_or_why(
    file: Path, shape: Any, fit: Any, top: float | None = None
) -> tuple[NDArray[np.uint8] | None, str | None]:
    """The picture, or why it cannot be read; one bad file does not stop the others."""
    try:
        return read_picture(file, shape, fit, top), None
    except DeepSightError as error:
        return None, str(error)


def rows_of_block(
    read: Sequence[tuple[Path, NDArray[np.uint8] | None, str | None]], predictor: Predictor,
    classes: Sequence[str], reference: Familiarity,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row per file of a block."""
    pixels = [picture for _, picture, _ in read if picture is not None]
    said: Iterator[tuple[NDArray[np.float64], float]] = iter(())
    if pixels:
        features = predictor.features(np.stack(pixels), name="predict")
        probabilities = softmax(predictor.logits_of(features) / reference.temperature)
        said = iter(zip(probabilities, reference.unfamiliarity(features), strict=True))
    rows = []
    for file, picture, why in read:
        row: dict[str, Any] = {"file": str(file), "error": why}
        if picture is not None:
            of_image, far = next(said)
            best = int(of_image.argmax())
            row |= {"label": classes[best], "confidence": float(of_image[best]), "unfamiliarity": float(far)}
            row |= {f"p_{name}": float(p) for name, p in zip(classes, of_image, strict=True)}
        rows.append(row)
    return rows


def rejection_sentences(run: Run) -> list[str]:
    """What rejection buys on the test set, with thresholds chosen on validation."""
    val, test = run.predictions("val"), run.predictions("test")
    tables = rejection_tables(test.logits, test.labels, val.logits, val.labels)
    return [table.caption for table in tables.values()]


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
