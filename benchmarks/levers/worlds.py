"""A trained model with everything that its levers need, on rows of CIFAR-10 or of a folder of images."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deepsight.core.array_types import Bools, Ints, Reals
from deepsight.core.dataset import Dataset, Splits
from deepsight.core.recipe import Recipe
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.levers.runner import LeverTools, examine_levers
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.fit import fabric_of, fit_model
from deepsight.model.pretrained import load_pretrained
from deepsight.model.retraining import Retrainer
from deepsight.workflows.levers import train_once

BACKBONE = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class World:
    """Images of one data set, cut into what a study uses and what it never sees.

    Attributes:
        pool: training images; a study takes the first ones.
        validation, test: of the study.
        fresh: images on which the real actions are judged.
    """

    pool: Dataset
    validation: Dataset
    test: Dataset
    fresh: Dataset


@dataclass(frozen=True)
class Study:
    """A model trained on the first rows of a pool, with its levers.

    Attributes:
        world: the images.
        rows: training rows of the model.
        recipe: of the training.
        retrainer: gives trainings judged on these test images.
        findings: of the levers, on the study's own test images.
        accuracy: on these.
    """

    world: World
    rows: int
    recipe: Recipe
    retrainer: Callable[[Dataset], Retrainer]
    findings: Findings
    accuracy: float


def world_of(pool: Dataset, held: Dataset, *, rows: int, test: int, seed: int) -> World:
    """Twice `rows` of the pool, and validation, test and fresh images from two sources, all at random."""
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(pool))
    others = rng.permutation(len(held))
    few = max(60, rows // 8)
    if len(drawn) < 2 * rows + few or len(others) < test + few:
        raise SystemExit(
            f"Expected {2 * rows + few} and {test + few} images, received {len(pool)}, {len(held)}."
        )
    return World(
        pool.select(drawn[: 2 * rows]), pool.select(drawn[2 * rows : 2 * rows + few]),
        held.select(others[:test]), held.select(others[test : 4 * test]),
    )  # fmt: skip


def study_of(
    world: World, *, rows: int, recipe: Recipe, sizes: LeverSizes, cache: Path, flagged: Bools | None = None,
    predict_as: Callable[[Dataset], Dataset] = lambda data: data,
) -> Study:  # fmt: skip
    """Train a model on the first rows, and try its levers.

    Args:
        world: the images.
        rows: training rows.
        recipe: of the training.
        sizes: of the levers' trials.
        cache: folder for cached maps.
        flagged: which training labels are flagged as wrong, bool (rows,); None for none.
        predict_as: what happens to the test images before they are examined, such as damage.
    """
    fabric, store = fabric_of(), FeatureCache(cache)
    train = world.pool.select(np.arange(rows))
    test = predict_as(world.test)
    fitted = fit_model(
        load_pretrained(BACKBONE), Splits(train, world.validation, test), recipe, cache=store, fabric=fabric
    )
    whole = Splits(world.pool, world.validation, test)

    def retrainer(splits: Splits, examined: Dataset) -> Retrainer:
        return Retrainer(
            fitted.predictor, splits, recipe, examined,
            lambda _: copy.deepcopy(load_pretrained(BACKBONE)), store, fabric,
        )  # fmt: skip

    own = Splits(train, world.validation, test)

    def retrain_of(places: Ints) -> Callable[..., Reals]:
        return partial(train_once, retrainer(own, test.select(places)))

    predictions = fitted.predictor.predictions(test, name="test")
    inputs = ExaminationInputs(
        test=test, predictions=predictions, validation=fitted.validation,
        others={"train": train, "val": world.validation}, seed=recipe.seed,
    )  # fmt: skip
    tools = LeverTools(
        predict=fitted.predictor.logits,
        retrainer=retrain_of,
        features=lambda wanted: retrainer(own, test.select(np.arange(1))).features(wanted),
        train_labels=train.labels,
        train_ids=train.ids,
        flagged=np.zeros(rows, dtype=bool) if flagged is None else flagged,
        resolution=recipe.resolution,
    )
    findings = examine_levers(inputs, tools, sizes)
    right = float((predictions.labels == predictions.predicted).mean())
    return Study(world, rows, recipe, partial(retrainer, whole), findings, right)
