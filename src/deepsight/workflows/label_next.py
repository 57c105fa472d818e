"""What to label next: the unlabelled pictures whose labels would help the model most."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats
from deepsight.core.errors import UsageError
from deepsight.core.evidence import Evidence
from deepsight.core.files.atomic import atomic_path, safe_name, write_text
from deepsight.core.files.spreadsheet import guarded_frame
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.core.statistics.unit_rows import unit_rows
from deepsight.interpret.levers.images_to_label import REACH, choose_diverse, class_gain, expected_error
from deepsight.obtain.readers.unlabelled import load_unlabelled
from deepsight.workflows.exchange.label_studio import CONFIG, TASKS, labeling_config, prediction_of
from deepsight.workflows.exchange.new_labels import NEW
from deepsight.workflows.predict.calibrated import calibrated_probabilities, run_temperature
from deepsight.workflows.predict.unfamiliarity import measure_familiarity, nearest_distance
from deepsight.workflows.study_context import opened_context
from deepsight.workflows.trained_model import open_trained

LIST = "label_next.csv"


def label_next(
    run_folder: str | Path, folder: str | Path, out: str | Path, *, count: int = 100, log: Log = silent
) -> pl.DataFrame:
    """Choose pictures to label, and write them as tasks for Label Studio.

    The expected gain of a picture is the probability that the model errs on it (from its calibrated
    confidence, and its errors on the nearest validation images), times what its classes gain from more images
    if the run has tried that (`lever_data`), times its distance to the labelled and the chosen pictures.

    Args:
        run_folder: a run with a trained model and its data.
        folder: the pictures, searched recursively.
        out: an empty or absent folder for `tasks.json`, the labelling configuration, copies of the pictures
            and the list `label_next.csv`.
        count: pictures to choose, at least 1; fewer are chosen if the folder has fewer.
        log: receives progress and warnings.

    Returns:
        One row per chosen picture, the most useful first: file, predicted, confidence, expected_error,
        class_gain, distance, unfamiliarity.

    Raises:
        UsageError: the folder does not exist, `out` is not empty, or count is below 1.
        DeepSightError: the run has no model, or no picture can be read.
    """
    target = Path(out)
    if count < 1:
        raise UsageError(f"Expected to choose at least 1 picture, received {count}.")
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"Expected an empty folder, but {target} holds files. Choose another --out.")
    run, predictor, classes = open_trained(Path(run_folder))
    reference = measure_familiarity(opened_context(run, log), predictor)
    temperature = run_temperature(run, predictor, log)
    record = run.read_json("data.json")
    height, width = (int(side) for side in record["image_shape"][:2])
    pool = load_unlabelled(folder, shape=(height, width), fit=record.get("fit", "crop"), log=log)
    said = predictor.predictions(pool.data, name="unlabelled pictures")
    files = [] if pool.data.files is None else [str(name) for name in pool.data.files]
    frame = scores_of(said, run.predictions("val"), temperature, gains_of(run.evidence(), classes))
    distance = nearest_distance(said.features, reference.features)
    reach = float(np.quantile(reference.distances, REACH))
    rows = choose_diverse(
        (frame["expected_error"] * frame["class_gain"]).to_numpy(), unit_rows(said.features), distance, count,
        reach=reach,
    )  # fmt: skip
    listed = frame.with_columns(
        pl.Series("file", files),
        pl.Series("predicted", [classes[c] for c in said.predicted]),
        pl.Series("distance", distance),
        pl.Series("unfamiliarity", reference.unfamiliarity(said.features)),
    ).select("file", "predicted", "confidence", "expected_error", "class_gain", "distance", "unfamiliarity")
    chosen = listed[rows]
    write_tasks(target, pool.root, chosen, rows.tolist(), classes)
    return chosen


def scores_of(
    said: Predictions, validation: Predictions, temperature: float, gains: Floats | None
) -> pl.DataFrame:
    """Confidence, expected error and class gain of each picture."""
    probabilities = calibrated_probabilities(said.logits, temperature)
    similarity = unit_rows(said.features) @ unit_rows(validation.features).T
    wrong = (validation.predicted != validation.labels).astype(np.int64)
    return pl.DataFrame(
        {
            "confidence": probabilities.max(axis=1),
            "expected_error": expected_error(probabilities, similarity, wrong),
            "class_gain": class_gain(probabilities, gains),
        }
    )


def gains_of(evidence: Evidence, classes: Sequence[str]) -> Floats | None:
    """The gain in recall of each class (k,) from more training images; None if the run did not try that."""
    if "lever_data" not in evidence:
        return None
    found = dict(evidence["lever_data"].frame.select("class", "recall_gain").iter_rows())
    return np.array([found.get(name, 0.0) for name in classes])


def write_tasks(
    folder: Path, root: Path, chosen: pl.DataFrame, rows: Sequence[int], classes: tuple[str, ...]
) -> None:
    """Write the tasks, the labelling configuration, copies of the pictures, and the list."""
    tasks = []
    for row, one in zip(rows, chosen.iter_rows(named=True), strict=True):
        picture = copied_picture(root / one["file"], folder / "images", row)
        tasks.append(task_to_label(one, row, root, picture.relative_to(folder).as_posix()))
    write_text(folder / TASKS, json.dumps(tasks, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / CONFIG, labeling_config(classes))
    with atomic_path(folder / LIST) as path:
        guarded_frame(chosen).write_csv(path)


def copied_picture(file: Path, folder: Path, row: int) -> Path:
    """Copy a picture into the folder under a unique name, which starts with its row."""
    target = folder / f"{row:06d}-{safe_name(file.stem)}{file.suffix.lower()}"
    with atomic_path(target) as path:
        shutil.copyfile(file, path)
    return target


def task_to_label(one: dict[str, Any], row: int, root: Path, address: str) -> dict[str, Any]:
    """One task without a given label; the predicted class is its pre-annotation.

    Its data names the folder, so that `receive` finds the picture again.
    """
    data = {
        "image": f"/data/local-files/?d={address}", "folder": str(root), "file": one["file"], "id": row,
        "split": NEW, "given": "", "suggested": one["predicted"], "cause": "", "label_error": None,
        "expected_error": round(one["expected_error"], 4), "unfamiliarity": round(one["unfamiliarity"], 4),
    }  # fmt: skip
    return {"data": data, "predictions": [prediction_of(one["predicted"], one["confidence"])]}
