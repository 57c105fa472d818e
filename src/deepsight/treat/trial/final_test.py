"""The final test: the test set is used once, for the control and the treatment that won on validation."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from deepsight.core.evidence import Table
from deepsight.core.predictions import Predictions
from deepsight.core.statistics.intervals import macro_f1
from deepsight.core.statistics.mcnemar import mcnemar
from deepsight.model.training.training_state import TrainablePart, Training
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.checkpoints import Checkpoints, features_of_maps
from deepsight.treat.trial.effects import macro_effect
from deepsight.treat.trial.store import Store


@dataclass(frozen=True)
class FinalTest:
    """The predictions of the control and the winner on the test images.

    Attributes:
        table: evidence table `treatment_test`.
        control, winner: predictions of the first seed.
    """

    table: Table
    control: Predictions
    winner: Predictions


def run_final_test(
    winner: Treatment, seeds: int, *, checkpoints: Checkpoints, store: Store, level: float
) -> FinalTest:
    """Predict the test images with all seeds of the control and the winner, and compare them."""
    first = predict_test(CONTROL, seeds, checkpoints, store)
    second = predict_test(winner, seeds, checkpoints, store)
    return FinalTest(final_test_table(winner.name, first, second, level), first[0], second[0])


def predict_test(
    treatment: Treatment, seeds: int, checkpoints: Checkpoints, store: Store
) -> list[Predictions]:
    """The test predictions of each seed of an arm."""
    config = checkpoints.config
    _, recipe = treatment.apply(config.splits.train, config.recipe)
    start = checkpoints.at(treatment.backbone, recipe.resolution)
    maps = checkpoints.test_maps(treatment.backbone, recipe.resolution)
    return [
        arm_test_predictions(start, maps, store.load_weights(treatment.name, seed), checkpoints)
        for seed in range(seeds)
    ]


def arm_test_predictions(
    start: Training, maps: NDArray[np.float16], state: dict[str, torch.Tensor], checkpoints: Checkpoints
) -> Predictions:
    """The test predictions of an arm's trained part, from the feature maps of its frozen stages."""
    classifier = copy.deepcopy(start.classifier)
    trainable = TrainablePart(classifier.trainable_stages, classifier.head)
    trainable.load_state_dict(state)
    features = features_of_maps(trainable, maps)
    weight, bias = (p.detach().cpu().numpy() for p in (classifier.head.weight, classifier.head.bias))
    test = checkpoints.config.splits.test
    return Predictions(test.ids, test.labels, (features @ weight.T + bias).astype(np.float32), features)


def final_test_table(name: str, first: list[Predictions], second: list[Predictions], level: float) -> Table:
    """Evidence table `treatment_test`: McNemar's test for each seed, then all seeds together."""
    labels, k = first[0].labels, first[0].k
    rows = [seed_row(seed, a, b) for seed, (a, b) in enumerate(zip(first, second, strict=True))]
    control, winner = (np.stack([p.predicted for p in side]) for side in (first, second))
    effect = macro_effect(labels, control, winner, k, level=level)
    scores = [float(np.mean([row[column] for row in rows])) for column in ("control_macro_f1", "macro_f1")]
    together = {
        "seed": None,
        "control_macro_f1": scores[0],
        "macro_f1": scores[1],
        "difference": effect.value,
        "ci_low": effect.low,
        "ci_high": effect.high,
        "p_value": effect.p_value,
        "test": "two-way clustered",
    }
    frame = pl.DataFrame([*rows, together], schema=SCHEMA)
    return Table(
        frame=frame,
        units=UNITS,
        n=len(labels),
        method="The test set is used once, for the control and the winner on validation. McNemar's test of "
        "accuracy for each seed (interval after Agresti & Min 2005); macro-F1 over all seeds with the "
        "variance over images and seeds (Cameron et al. 2011).",
        caption=f"On {len(labels):,} test images {name} changes macro-F1 by {100 * effect.value:+.2f} points "
        f"({100 * effect.low:+.2f} to {100 * effect.high:+.2f}).",
    )


def seed_row(seed: int, control: Predictions, winner: Predictions) -> dict[str, Any]:
    """The row of one seed; the difference is one of accuracy, with McNemar's test."""
    found = mcnemar(control.labels, control.predicted, winner.predicted)
    return {
        "seed": seed,
        "control_macro_f1": macro_f1(control.labels, control.predicted, control.k),
        "macro_f1": macro_f1(winner.labels, winner.predicted, winner.k),
        "difference": found.difference,
        "ci_low": found.low,
        "ci_high": found.high,
        "p_value": found.p_value,
        "test": "McNemar",
    }


UNITS = {
    "seed": "seed of both trainings; empty for all seeds together",
    "control_macro_f1": "macro-F1 of the control on test",
    "macro_f1": "macro-F1 of the winner on test",
    "difference": "winner minus control: accuracy for one seed, macro-F1 for all",
    "ci_low": "difference, low end",
    "ci_high": "difference, high end",
    "p_value": "two-sided",
    "test": "name of the test",
}
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(UNITS, pl.Float64),
    "seed": pl.Int64,
    "test": pl.String,
}
