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
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model.foreign.foreign_model import WatchedModel
from deepsight.model.foreign.penultimate import answers_and_features
from deepsight.model.predict import BLOCK
from deepsight.workflows.examine.budget import REFERENCE, TimeBudget
from deepsight.workflows.examine.check_costs import Scope
from deepsight.workflows.examine.check_plan import CheckPlan, seconds_to_predict
from deepsight.workflows.examine.examination_inputs import inputs_of_predictions
from deepsight.workflows.examine.fit_model import FittedModel
from deepsight.workflows.examine.foreign_levers import Own, with_levers
from deepsight.workflows.examine.pace import Pace, measured_pace, seconds_an_image
from deepsight.workflows.group_scores import Suggestion
from deepsight.workflows.passes.block_passes import LOCAL, run_blocks
from deepsight.workflows.passes.block_work import Arrays, OpenWork, Work
from deepsight.workflows.passes.image_passes import ImagePasses

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
    fitted: FittedModel, data: Dataset, *, train: Dataset | None, budget: TimeBudget, seed: int, log: Log,
    spread: SpreadPasses | None = None, kept: Path | None = None, suggest: Suggest | None = None,
) -> ExaminedModel:  # fmt: skip
    """Examine a model as far as it can be opened, within roughly these minutes.

    Args:
        fitted: the model, fitted to the data.
        data: the images; a balanced sample of them is examined if the minutes do not allow all.
        train: the training images, to judge labels and search for near-duplicates; None if there are none.
        budget: the time of the whole examination.
        seed: random seed.
        log: receives progress and warnings.
        spread: the workers of a Ray cluster; all images are then predicted, and the minutes limit only the
            other checks.
        kept: a folder for finished blocks of predictions, from which an interrupted pass is resumed.
        suggest: returns the score under suggested groups; None suggests none.
    """
    model, began = fitted.model, time.perf_counter()
    pace = measured_pace(model, data, image=seconds_an_image(model, data))
    seconds = seconds_to_predict(budget, pace, data, train=train is not None)
    test = affordable_test(data, len(data) if spread else seconds / pace.image, seed)
    if len(test) < len(data):
        log(f"Examines {len(test):,} of {len(data):,} images, as many as {budget.minutes:g} minutes allow.")
    predictions = predictions_of(model, test, spread=spread, kept=kept, log=log)
    predicted = time.perf_counter()
    suggested = Suggestion(test, Evidence()) if suggest is None else suggest(test, predictions)
    test = suggested.test
    inputs, evidence = inputs_of_predictions(
        test, predictions, train, seed, seconds=min(REFERENCE * budget.seconds, budget.left() / 2),
        passes=None if spread is None else spread.images, log=log,
    )  # fmt: skip
    own = partial(predictions_of, model) if predictions.features.size else None
    found, seconds_of = examined_inside(inputs, model, own, budget=budget, pace=pace, log=log)
    known = fitted.evidence.merge(suggested.evidence).merge(evidence)
    times = {"predict": predicted - began, **seconds_of}
    return ExaminedModel(Findings(known).merge(found), test, inputs.predictions, times)


def examined_inside(
    inputs: ExaminationInputs, model: AskedModel, own: Own | None, *, budget: TimeBudget, pace: Pace, log: Log
) -> tuple[Findings, dict[str, float]]:
    """All checks and levers that fit into the time that is left, and the seconds that both took.

    Args:
        inputs: what is examined.
        model: the model.
        own: predicts other images, with the model's own features; None if these are unknown.
        budget: the time of the whole examination.
        pace: of the model.
        log: receives the plan, and one line per lever.
    """
    began = time.perf_counter()
    plan = CheckPlan(budget, pace, Scope.of(inputs, features=own is not None), log)
    found = examine_inputs(inputs, model, plan.sizes_at)
    interpreted = time.perf_counter()
    found = with_levers(
        found, inputs, model, own,
        seconds=budget.left(), image_seconds=pace.image, mask_seconds=pace.mask, log=log,
    )  # fmt: skip
    return found, {"interpret": interpreted - began, "levers": time.perf_counter() - interpreted}


def with_names(found: Findings, data: Dataset) -> Findings:
    """The same findings with the file of each image beside its row."""
    return replace(found, evidence=with_files(found.evidence, file_names({"test": data})))


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
