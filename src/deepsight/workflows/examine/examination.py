"""The examination of a foreign model, with sample sizes that fit into the minutes."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from deepsight.core.dataset import Dataset, Images
from deepsight.core.evidence import Evidence
from deepsight.core.file_columns import file_names, with_files
from deepsight.core.open_model import AskedModel
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.interpret.examine import examine_inputs
from deepsight.interpret.findings import Findings
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model.foreign.foreign_model import WatchedModel
from deepsight.model.foreign.penultimate import answers_and_features
from deepsight.model.predict import BLOCK
from deepsight.workflows.examine.budget import LEVERS, PREDICTED, REFERENCE, Pace, affordable_samples
from deepsight.workflows.examine.examination_inputs import inputs_of_predictions
from deepsight.workflows.examine.fit_model import FittedModel
from deepsight.workflows.examine.foreign_levers import with_levers
from deepsight.workflows.group_scores import Suggestion
from deepsight.workflows.passes.block_passes import LOCAL, run_blocks
from deepsight.workflows.passes.block_work import Arrays, OpenWork, Work
from deepsight.workflows.passes.image_passes import ImagePasses
from deepsight.workflows.planning.examination_sizes import seconds_of_a_mask

TIMED = 32  # images on which the model is timed
Suggest = Callable[[Dataset, Predictions], Suggestion]


@dataclass(frozen=True)
class SpreadPasses:
    """Passes over all images on other workers.

    Attributes:
        images: carries the passes out.
        reopen: opens the model on a worker: an opened one cannot always be sent there.
    """

    images: ImagePasses
    reopen: Callable[[], AskedModel]


@dataclass(frozen=True)
class ExaminedModel:
    """A finished examination.

    Attributes:
        findings: the tables, pictures and refusals.
        data: the examined images: all, or a sample.
        predictions: for these images.
        seconds: by stage.
    """

    findings: Findings
    data: Dataset
    predictions: Predictions
    seconds: dict[str, float] = field(default_factory=dict)


def examine_fitted(
    fitted: FittedModel, data: Dataset, *, train: Dataset | None, minutes: float, seed: int, log: Log,
    spread: SpreadPasses | None = None, kept: Path | None = None, suggest: Suggest | None = None,
) -> ExaminedModel:  # fmt: skip
    """Examine a model as far as it can be opened, in roughly these minutes.

    Args:
        fitted: the model, fitted to the data.
        data: the images; a balanced sample of them is examined if the minutes do not allow all.
        train: the training images, to judge labels and search for near-duplicates; None if there are none.
        minutes: time for the whole examination.
        seed: random seed.
        log: receives progress and warnings.
        spread: the workers of a Ray cluster; all images are then predicted, and the minutes limit only the
            other checks.
        kept: a folder for finished blocks of predictions, from which an interrupted pass is resumed.
        suggest: returns the score under suggested groups; None suggests none.
    """
    model, began = fitted.model, time.perf_counter()
    per_image = seconds_an_image(model, data)
    most = PREDICTED * 60 * minutes / per_image if spread is None else len(data)
    test = affordable_test(data, most, seed)
    if len(test) < len(data):
        log(f"Examines {len(test):,} of {len(data):,} images, as many as {minutes:g} minutes allow.")
    predictions = predictions_of(model, test, spread=spread, kept=kept, log=log)
    predicted = time.perf_counter()
    mask_seconds = seconds_of_a_mask(test)
    suggested = Suggestion(test, Evidence()) if suggest is None else suggest(test, predictions)
    test = suggested.test
    pace = Pace(per_image, mask_seconds, isinstance(model, WatchedModel))
    inputs, evidence = inputs_of_predictions(
        test, predictions, train, seed, seconds=REFERENCE * 60 * minutes,
        passes=None if spread is None else spread.images, log=log,
    )  # fmt: skip
    found = examine_inputs(inputs, model, affordable_samples(60 * minutes, pace, len(test)))
    interpreted = time.perf_counter()
    own = partial(predictions_of, model) if predictions.features.size else None
    found = with_levers(
        found, inputs, model, own,
        seconds=LEVERS * 60 * minutes, image_seconds=per_image, mask_seconds=mask_seconds, log=log,
    )  # fmt: skip
    seconds = {
        "predict": predicted - began,
        "interpret": interpreted - predicted,
        "levers": time.perf_counter() - interpreted,
    }
    known = fitted.evidence.merge(suggested.evidence).merge(evidence)
    return ExaminedModel(Findings(known).merge(found), test, inputs.predictions, seconds)


def with_names(found: Findings, data: Dataset) -> Findings:
    """The same findings with the file of each image beside its row."""
    return replace(found, evidence=with_files(found.evidence, file_names({"test": data})))


def seconds_an_image(model: AskedModel, data: Dataset) -> float:
    """Seconds to predict one image, measured on a few images after a warm-up."""
    pixels = data.pixels(np.arange(min(TIMED, len(data))))
    model.logits(pixels[:1])
    began = time.perf_counter()
    model.logits(pixels)
    return (time.perf_counter() - began) / len(pixels)


def affordable_test(data: Dataset, most: float, seed: int) -> Dataset:
    """The data, or a class-balanced sample of at most `most` images, but at least ten per class."""
    limit = max(int(most), 10 * data.k)
    if len(data) <= limit:
        return data
    return data.select(balanced_rows(data.labels, limit, np.random.default_rng(seed)))


def predictions_of(
    model: AskedModel, data: Dataset, *, spread: SpreadPasses | None = None, kept: Path | None = None,
    log: Log = silent,
) -> Predictions:  # fmt: skip
    """Logits and, if the model's layers can be watched, penultimate features; else features of width 0.

    Args:
        model: the model.
        data: the images.
        spread: the workers that carry out the pass; None predicts in this process.
        kept: a folder for finished blocks, from which an interrupted pass is resumed; None keeps none.
        log: receives the progress.
    """
    opened, engine = ((lambda: model), LOCAL) if spread is None else (spread.reopen, spread.images.engine)
    return passed_predictions(
        partial(open_answers, opened, data.images), data, engine=engine, kept=kept, log=log
    )


def passed_predictions(
    open_work: OpenWork, data: Dataset, *, engine: str, kept: Path | None, log: Log
) -> Predictions:
    """The logits and features that a pass over data returns; `engine` is that of `run_blocks`."""
    with ExitStack() as stack:
        place = kept or Path(stack.enter_context(TemporaryDirectory()))
        found = run_blocks(
            open_work, len(data), block=BLOCK, engine=engine, kept=place, name="images predicted", log=log
        )
    return Predictions(data.ids, data.labels, found["logits"], found["features"])


def open_answers(opened: Callable[[], AskedModel], images: Images) -> Work:
    """The work of a pass that computes logits and features, with the model opened in this process."""
    model = opened()

    def answers(rows: slice) -> Arrays:
        pixels = np.asarray(images[rows], dtype=np.uint8)
        if isinstance(model, WatchedModel):
            logits, features = answers_and_features(model, pixels)
        else:
            logits, features = model.logits(pixels), np.zeros((len(pixels), 0), np.float32)
        return {"logits": logits, "features": features}

    return answers
