"""The levers of an external model: those that train nothing, and those that train a linear head.

The model itself is not retrained, since its recipe is unknown. If its features can be read, a linear head on
them stands for the last part of a training.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from deepsight.core.array_types import Bools, Floats32, Ints, Reals
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.open_model import AskedModel, Predict
from deepsight.core.predictions import Predictions
from deepsight.core.progress import Log, silent
from deepsight.interpret.findings import Findings, not_examined_table
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels.label_errors import flagged_in_training
from deepsight.interpret.levers.ledger import ledger_shares_with_levers, ledger_with_levers
from deepsight.interpret.levers.runner import examine_levers
from deepsight.interpret.levers.sizes import LADDER, LeverRates, LeverSizes, lever_seconds
from deepsight.interpret.levers.tools import HEAD, LeverTools, Retrain, Retraining
from deepsight.interpret.robustness.corruptions import balanced_rows
from deepsight.model.training.linear_probe import fit_linear_probe

Own = Callable[[Dataset], Predictions]

FEWEST_TRAIN = 10  # training images per class; with fewer no head is trained
HEAD_SECONDS = 2e-4  # per row in a fit of the head; hardly depends on the network


@dataclass(frozen=True)
class LabelledFeatures:
    """Training images as the examined model sees them.

    Attributes:
        data: the images with their labels.
        features: (n, d), the model's own.
        flagged: bool (n,), labels that are flagged as wrong; None if they were not examined.
    """

    data: Dataset
    features: Floats32
    flagged: Bools | None = None

    def __post_init__(self) -> None:
        if len(self.features) != len(self.data) or self.features.ndim != 2:
            raise DeepSightError(
                f"Expected features (n, d) of {len(self.data)} training images, got {self.features.shape}."
            )


def with_levers(
    found: Findings, inputs: ExaminationInputs, model: AskedModel, own: Own | None, *,
    seconds: float, image_seconds: float, mask_seconds: float, log: Log = silent,
) -> Findings:  # fmt: skip
    """The findings with the levers' results, and the causes that they show in the ledger.

    Args:
        found: the findings of the examination, with the ledger and the flagged training labels.
        inputs: of the examination.
        model: the examined model.
        own: predicts other images, with the model's own features; None if these are unknown.
        seconds: for the levers; half of them go to features of training images.
        image_seconds: of one prediction.
        mask_seconds: of cutting out one object.
        log: receives one line per lever.
    """
    train = None if own is None else seen_training(inputs, found.evidence, own, seconds / 2 / image_seconds)
    levers = examine_foreign_levers(
        inputs, model.logits, train=train, seconds=seconds / 2 if train else seconds,
        image_seconds=image_seconds, mask_seconds=mask_seconds, log=log,
    )  # fmt: skip
    for refusal in levers.refusals:
        log(f"No lever was tried. {refusal.reason}")
    tables = {**found.evidence.tables, **levers.evidence.tables}
    if "lever_errors" in levers.evidence and "ledger" in found.evidence:
        merged = ledger_with_levers(tables["ledger"], tables["lever_errors"])
        tables |= {"ledger": merged, "ledger_shares": ledger_shares_with_levers(merged)}
    refusals = (*found.refusals, *levers.refusals)
    if levers.refusals:
        tables["not_examined"] = not_examined_table(refusals)
    return Findings(Evidence(tables), {**found.pictures, **levers.pictures}, refusals)


def seen_training(
    inputs: ExaminationInputs, found: Evidence, own: Own, most: float
) -> LabelledFeatures | None:
    """Training images with the model's features, at most `most`; None if they are too few for a head.

    Args:
        inputs: with the training images whose labels were judged.
        found: with the flagged labels.
        own: predicts images, with the model's own features.
        most: images that the time allows.
    """
    if inputs.train is None or min(most, len(inputs.train.ids)) < FEWEST_TRAIN * inputs.test.k:
        return None
    judged = select_ids(inputs.others["train"], inputs.train.ids)
    rows = balanced_rows(judged.labels, min(int(most), len(judged)), np.random.default_rng(inputs.seed))
    few = judged.select(rows)
    return LabelledFeatures(few, own(few).features, flagged_in_training(found, few.ids))


def examine_foreign_levers(
    inputs: ExaminationInputs, predict: Predict, *,
    train: LabelledFeatures | None, seconds: float, image_seconds: float, mask_seconds: float,
    log: Log = silent,
) -> Findings:  # fmt: skip
    """Try what could reduce the errors of an external model.

    Args:
        inputs: the test images and the model's predictions, with its own features if they are known.
        predict: images to the model's logits.
        train: training images with the same features, or None; then no lever trains.
        seconds: for the levers.
        image_seconds: of one prediction.
        mask_seconds: of cutting out one object.
        log: receives one line per lever.
    """
    rates = foreign_rates(image_seconds, mask_seconds)
    rows = 0 if train is None else len(train.data)
    ladder = foreign_ladder(rows, len(inputs.test))
    costs = [lever_seconds(sizes, rates, rows=rows, epochs=1.0) for sizes in ladder]
    fitting = [sizes for sizes, cost in zip(ladder, costs, strict=True) if cost <= seconds]
    if not fitting:
        return Findings.refused(
            "levers",
            f"The levers that train nothing take about {costs[0]:.0f} seconds, and {seconds:.0f} were left. "
            "Allow more --minutes.",
        )
    if train is not None:
        inputs = replace(inputs, others={**inputs.others, "train": train.data})
    return examine_levers(inputs, foreign_tools(inputs, predict, train), fitting[-1], log=log)


def foreign_rates(image_seconds: float, mask_seconds: float) -> LeverRates:
    """The rates of a model of which only a head is trained; each image is also predicted as a placebo."""
    return LeverRates(image_seconds, image_seconds, HEAD_SECONDS, HEAD_SECONDS, mask_seconds)


def foreign_ladder(rows: int, images: int) -> list[LeverSizes]:
    """The sizes to choose from, ascending, without trials that train more than a head.

    Args:
        rows: training rows with features; 0 for none.
        images: examined.
    """
    return [
        replace(
            sizes, images=min(sizes.images, images), objects=min(sizes.objects, images), changes=0,
            equal_time=0, unused_trainings=0, swap_rows=0, swap_trainings=0, retraining_rows=rows,
            part_percent=50,
        )
        for sizes in LADDER
    ]  # fmt: skip


def foreign_tools(inputs: ExaminationInputs, predict: Predict, train: LabelledFeatures | None) -> LeverTools:
    """The functions that the levers need of an external model."""
    known = inputs.predictions.features
    if train is None or not known.size or train.features.shape[1] != known.shape[1]:
        return LeverTools(predict)
    labels = train.data.labels
    return LeverTools(
        predict=predict,
        retrainer=lambda rows: head_trainings(train.features, labels, known[rows], train.data.k),
        features=lambda rows: train.features[rows],
        train_labels=labels,
        train_ids=train.data.ids,
        flagged=np.zeros(len(labels), dtype=bool) if train.flagged is None else train.flagged,
        trained=HEAD,
    )


def head_trainings(features: Floats32, labels: Ints, examined: Reals, k: int) -> Retrain:
    """A training that fits a linear head to features of training rows and returns the examined logits (m, k).

    Args:
        features: (n, d), of the training rows.
        labels: int64 (n,).
        examined: (m, d), of the examined images.
        k: classes.
    """

    def train(wanted: Retraining) -> Reals:
        asked = wanted.in_order()
        given = labels[asked.rows] if asked.labels is None else asked.labels
        return fit_linear_probe(features[asked.rows], given, k)(examined)

    return train
