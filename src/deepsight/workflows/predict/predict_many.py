"""Predicts many images into a table: calibrated probabilities, rejections and unfamiliarity."""

import hashlib
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import atomic_path, remove_leftovers_of
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.progress import Log, silent
from deepsight.core.run import Run
from deepsight.interpret.error_analysis.risk_coverage import rejection_tables
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.decoding.crop import Fit, Shape
from deepsight.obtain.decoding.high_bit_depth import tops_of_files
from deepsight.workflows.passes.block_passes import LOCAL, blocks_in_order, require_engine
from deepsight.workflows.passes.block_work import Arrays, Work, kept_folder
from deepsight.workflows.predict.calibrated import (
    calibrated_probabilities,
    has_validation,
    run_temperature,
)
from deepsight.workflows.predict.image_paths import expand_paths
from deepsight.workflows.predict.nearest_training import BLOCK
from deepsight.workflows.predict.predict import read_picture
from deepsight.workflows.predict.unfamiliarity import UNFAMILIAR, Familiarity, known_familiarity
from deepsight.workflows.study_context import opened_context
from deepsight.workflows.trained_model import open_trained

UNLIKE, DOUBTFUL = "unlike the training images", "low confidence"  # why an image is rejected
WRITERS = {".csv": "sink_csv", ".jsonl": "sink_ndjson", ".parquet": "sink_parquet"}


@dataclass(frozen=True)
class Thresholds:
    """The limits beyond which an image is rejected.

    Attributes:
        confidence: images with a calibrated confidence below this are rejected, 0 to 1.
        unfamiliarity: images with at least this unfamiliarity are rejected, at least 0; above 1 none is.

    Raises:
        UsageError: a limit is out of range.
    """

    confidence: float = 0.0
    unfamiliarity: float = UNFAMILIAR

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise UsageError(f"Expected --reject-below from 0 to 1, received {self.confidence}.")
        if not self.unfamiliarity >= 0:
            raise UsageError(f"Expected --reject-unfamiliar of at least 0, received {self.unfamiliarity}.")


@dataclass(frozen=True)
class PredictedCounts:
    """The numbers of images predicted, rejected, rejected as unfamiliar, and unreadable."""

    images: int = 0
    rejected: int = 0
    unlike: int = 0
    unreadable: int = 0

    def with_frame(self, frame: pl.DataFrame) -> "PredictedCounts":
        """The counts with the rows of another block added."""
        return PredictedCounts(
            self.images + len(frame),
            self.rejected + int(frame["rejected"].sum() or 0),
            self.unlike + int((frame["reason"] == UNLIKE).sum() or 0),
            self.unreadable + frame["error"].count(),
        )


def predict_many(
    run_folder: str | Path, images: Sequence[str], *, reject_below: float = 0.0,
    reject_unfamiliar: float = UNFAMILIAR, engine: str = LOCAL, log: Log = silent,
) -> pl.DataFrame:  # fmt: skip
    """Classify any number of images.

    Args:
        run_folder: the folder of a run with a trained model.
        images: files, folders, patterns such as "new/*.jpg", CSV files with a column of files, or "-" for
            one file per line on standard input.
        reject_below: images with a calibrated confidence below this are rejected, 0 to 1.
        reject_unfamiliar: images with at least this unfamiliarity are rejected, at least 0. At 0.99, about
            one in a hundred images like those of validation is rejected; above 1, none is.
        engine: where the images pass through the model: "local", "ray" or "ray://HOST:PORT".
        log: receives progress and warnings.

    Returns:
        One row per image: file, label, confidence, rejected, reason (of the rejection), unfamiliarity (the
        share of validation images that are nearer to the training images, 0 to 1; null, with a line in the
        log, if the data is gone), error (why the file could not be read, else null), and the probability of
        each class as `p_CLASS`. Probabilities are calibrated by the temperature that fits validation; a run
        without validation predictions gives the plain softmax, with a line in the log.

    Raises:
        DeepSightError: the run has no model.
        UsageError: there is no image, a limit is out of range, or the engine is unknown.
    """
    limits = Thresholds(reject_below, reject_unfamiliar)
    return pl.concat(list(predicted_frames(run_folder, images, limits, engine=engine, log=log)))


def predict_into(
    run_folder: str | Path, images: Sequence[str], out: Path, limits: Thresholds, *,
    engine: str = LOCAL, log: Log = silent,
) -> PredictedCounts:  # fmt: skip
    """Classify images into a table on disk, with one block of them in memory at a time.

    The table has the columns of `predict_many`, as CSV, JSON Lines or Parquet by the file's ending. An
    interrupted call is resumed at the block that was not finished.

    Raises:
        DeepSightError: the run has no model, or the disk is full.
        UsageError: there is no image, or the file's ending or the engine is unknown.
    """
    require_ending(out)
    remove_leftovers_of(out)
    counts, ending = PredictedCounts(), out.suffix.lower()
    folder = kept_folder("table", str(out.absolute()), secrets.token_hex(8))
    try:
        folder.mkdir(parents=True)
        for number, frame in enumerate(predicted_frames(run_folder, images, limits, engine=engine, log=log)):
            counts = counts.with_frame(frame)
            safe = guarded_frame(frame) if ending == ".csv" else frame
            safe.write_parquet(folder / f"{number:09d}.parquet")
        with atomic_path(out) as path:
            getattr(pl.scan_parquet(sorted(folder.glob("*.parquet"))), WRITERS[ending])(path)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def predicted_frames(
    run_folder: str | Path, images: Sequence[str], limits: Thresholds, *, engine: str, log: Log
) -> Iterator[pl.DataFrame]:
    """The rows of `predict_many`, block by block, in the order of the files."""
    require_engine(engine)
    files = expand_paths(images, log=log)
    run, predictor, classes = open_trained(Path(run_folder))
    temperature = run_temperature(run, predictor, log)
    familiar = known_familiarity(opened_context(run, log), predictor)
    record = run.read_json("data.json")
    shape, fit = tuple(record["image_shape"][:2]), record.get("fit", "crop")
    tops = tops_of_files(files, record.get("bit_depths", {}))
    work = partial(open_file_answers, run.path.resolve(), shape, fit, temperature, familiar)
    kept = kept_folder(
        file_stamp(run.file("model.safetensors")), files_digest(files), sorted(tops.values()), temperature,
        familiar is not None,
    )  # fmt: skip
    for rows, answer in blocks_in_order(
        work, len(files), block=BLOCK, engine=engine, kept=kept, name="images predicted", log=log,
        tell=lambda rows: [(file.absolute(), tops.get(file)) for file in files[rows]],
    ):  # fmt: skip
        yield with_rejections(frame_of_block(files[rows], answer, classes), limits)


def files_digest(files: Sequence[Path]) -> str:
    """A digest of the paths and stamps of the files."""
    digest = hashlib.sha256()
    for file in files:
        name = str(file.absolute()).encode("utf-8", "surrogateescape")
        digest.update(name + b"\0" + file_stamp(file) + b"\0")
    return digest.hexdigest()


def open_file_answers(
    run_folder: Path, shape: Shape, fit: Fit, temperature: float, familiar: Familiarity | None
) -> Work:
    """The work of a pass over files, with the model of a run opened in this process.

    The argument of the work is a sequence of m files, each with the value that becomes white (None: found in
    the file). It returns `error` (m,), "" if the file can be read; `probabilities` (m, k) and `unfamiliarity`
    (m,), NaN if it cannot; the unfamiliarity is also NaN without a reference for it.
    """
    predictor = open_trained(run_folder).predictor

    def answers(files: Sequence[tuple[Path, float | None]]) -> Arrays:
        read = [read_or_why(file, shape, fit, top) for file, top in files]
        probabilities = np.full((len(read), len(predictor.bias)), np.nan)
        far = np.full(len(read), np.nan)
        found = [row for row, (picture, _) in enumerate(read) if picture is not None]
        if found:
            pixels = np.stack([picture for picture, _ in read if picture is not None])
            features = predictor.features(pixels, name="predict")
            probabilities[found] = calibrated_probabilities(predictor.logits_of(features), temperature)
            if familiar is not None:
                far[found] = familiar.unfamiliarity(features)
        return {
            "error": np.array([why for _, why in read]), "probabilities": probabilities, "unfamiliarity": far
        }  # fmt: skip

    return answers


def read_or_why(file: Path, shape: Shape, fit: Fit, top: float | None = None) -> tuple[Pixels | None, str]:
    """The picture, or None and why it cannot be read: one bad file does not stop the others."""
    try:
        return read_picture(file, shape, fit, top), ""
    except DeepSightError as error:
        return None, str(error)


def frame_of_block(files: Sequence[Path], answer: Arrays, classes: Sequence[str]) -> pl.DataFrame:
    """One row per file of a block; unreadable files have nulls."""
    probabilities, errors = answer["probabilities"], answer["error"].tolist()
    readable = np.array([not why for why in errors])
    best = np.where(readable[:, None], probabilities, 0).argmax(axis=1)
    columns: dict[str, Any] = {
        "file": [str(file) for file in files],
        "label": [classes[c] if known else None for c, known in zip(best, readable, strict=True)],
        "confidence": known_values(probabilities[np.arange(len(best)), best]),
        "rejected": [None] * len(errors),
        "reason": [None] * len(errors),
        "unfamiliarity": known_values(answer["unfamiliarity"]),
        "error": [why or None for why in errors],
    }
    columns |= {f"p_{name}": known_values(probabilities[:, c]) for c, name in enumerate(classes)}
    return pl.DataFrame(columns, schema=SCHEMA | {f"p_{name}": pl.Float64 for name in classes})


def known_values(values: NDArray[np.floating]) -> pl.Series:
    """A column in which NaN is null."""
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)


SCHEMA: dict[str, Any] = {
    "file": pl.String, "label": pl.String, "confidence": pl.Float64, "rejected": pl.Boolean,
    "reason": pl.String, "unfamiliarity": pl.Float64, "error": pl.String,
}  # fmt: skip


def with_rejections(frame: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """The rows with rejected and reason filled in; both are null for unreadable files.

    An image whose unfamiliarity is unknown is not unlike the training images.
    """
    unlike = (pl.col("unfamiliarity") >= limits.unfamiliarity).fill_null(False)
    doubtful = pl.col("confidence") < limits.confidence
    reason = pl.when(unlike).then(pl.lit(UNLIKE)).when(doubtful).then(pl.lit(DOUBTFUL))
    return frame.with_columns(rejected=unlike | doubtful, reason=reason.otherwise(None))


def rejection_sentences(run: Run) -> list[str]:
    """The effect of rejection on the test set, with thresholds chosen on validation, in sentences.

    None without predictions for validation.
    """
    if not has_validation(run):
        return []
    val, test = run.predictions("val"), run.predictions("test")
    tables = rejection_tables(test.logits, test.labels, val.logits, val.labels)
    return [table.caption for table in tables.values()]


def require_ending(out: Path) -> None:
    """Refuse a file name whose ending is not a known format.

    Raises:
        UsageError: the ending is unknown.
    """
    if out.suffix.lower() not in WRITERS:
        raise UsageError(f"Expected --out to end in {', '.join(WRITERS)}, received '{out}'.")
