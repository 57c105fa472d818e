"""The model of a DeepSight run, examined on other data with the same classes: `--model run:FOLDER`."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.config import StudyConfig
from deepsight.core.dataset import Dataset, Images
from deepsight.core.errors import DeepSightError
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log
from deepsight.interpret.findings import Findings
from deepsight.obtain import Obtained
from deepsight.workflows.examine.budget import REFERENCE, TimeBudget
from deepsight.workflows.examine.examination import ExaminedModel, examined_inside, passed_predictions
from deepsight.workflows.examine.examination_inputs import inputs_of_predictions
from deepsight.workflows.examine.examined_passes import pass_folder, rows_mark, spread_passes
from deepsight.workflows.examine.pace import measured_pace, seconds_an_image
from deepsight.workflows.examine.write_run import write_examination
from deepsight.workflows.passes.block_work import Arrays, Work
from deepsight.workflows.trained_model import open_trained


def examine_run(
    study: StudyConfig, folder: Path, got: Obtained, out: Path, *, split: str, engine: str, log: Log
) -> dict[str, Any]:
    """Examine the model of a run on another data set, and write a run folder with its report.

    Args:
        study: the minutes, the seed and the gate.
        folder: the run that holds the model.
        got: the data set.
        out: the run folder to write.
        split: the part of the data to examine.
        engine: where the images are predicted: "local", "ray" or "ray://HOST:PORT".
        log: receives progress and warnings.

    Returns:
        The content of metrics.json.

    Raises:
        DeepSightError: there is no model, or the classes or their order differ.
    """
    trained, data = open_trained(folder), got.split(split)
    if trained.classes != data.classes:
        raise DeepSightError(
            f"Expected data with the classes of the run in their order ({', '.join(trained.classes[:8])}), "
            f"received {', '.join(data.classes[:8])}."
        )
    predictor, budget = trained.predictor, TimeBudget(study.minutes)
    pace = measured_pace(predictor, data, image=seconds_an_image(predictor, data))
    inputs, evidence = inputs_of_predictions(
        data, run_predictions(folder, data, got.record, engine, log), got.train, study.seed,
        seconds=REFERENCE * budget.seconds, passes=spread_passes(data, got.record, engine, log), log=log,
    )  # fmt: skip
    own = partial(predictor.predictions, name="train")
    found, times = examined_inside(inputs, predictor, own, budget=budget, pace=pace, log=log)
    found = Findings(evidence).merge(found)
    examined = ExaminedModel(found, data, inputs.predictions, times)
    about = {**trained.run.read_json("model.json"), "weights_source": str(folder)}
    return write_examination(study, examined, about, out, got, split)


def run_predictions(folder: Path, data: Dataset, record: Any, engine: str, log: Log) -> Predictions:
    """What the model of a run predicts for data; an interrupted pass is resumed."""
    kept = pass_folder(f"run:{folder / 'model.safetensors'}", None, None, record, rows_mark(data))
    work = partial(open_run_answers, folder.absolute(), data.images)
    return passed_predictions(work, data, engine=engine, kept=kept, log=log)


def open_run_answers(folder: Path, images: Images) -> Work:
    """Opens the model of a run in this process; it computes logits and features of blocks of images."""
    predictor = open_trained(folder).predictor

    def answers(rows: slice) -> Arrays:
        features = predictor.features(np.asarray(images[rows], dtype=np.uint8), name="test")
        return {"logits": predictor.logits_of(features), "features": features}

    return answers
