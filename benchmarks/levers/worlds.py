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
from deepsight.interpret.levers.runner import examine_levers
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.interpret.levers.tools import LeverTools
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import load_pretrained
from deepsight.model.training.fit import fabric_of, fit_model
from deepsight.model.training.retraining import Retrainer
from deepsight.workflows.levers import stored_at_input_size, train_once

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
        retrainer: gives trainings judged on these test images; rows after the first come from the pool.
        findings: of the levers, on the study's own test images.
        accuracy: on these.
    """

    world: World
    rows: int
    recipe: Recipe
    retrainer: Callable[[Dataset], Retrainer]
    findings: Findings
    accuracy: float


def world_of(data: Dataset, *, rows: int, test: int, seed: int) -> World:
    """Twice `rows` as pool, and validation, test and three times as many fresh images, all at random."""
    drawn = np.random.default_rng(seed).permutation(len(data))
    sizes = np.cumsum([2 * rows, max(60, rows // 8), test, 3 * test])
    if len(drawn) < sizes[-1]:
        raise SystemExit(f"Expected {sizes[-1]} images, received {len(data)}.")
    return World(*(data.select(part) for part in np.split(drawn[: sizes[-1]], sizes[:-1])))


def study_of(
    world: World, *, rows: int, recipe: Recipe, sizes: LeverSizes, cache: Path, flagged: Bools | None = None,
    unused: int = 0, predict_as: Callable[[Dataset], Dataset] = lambda data: data,
) -> Study:  # fmt: skip
    """Train a model on the first rows, and try its levers.

    Args:
        world: the images.
        rows: training rows.
        recipe: of the training.
        sizes: of the levers' trials.
        cache: folder for cached maps.
        flagged: which training labels are flagged as wrong, bool (rows,); None for none.
        unused: rows after the first that are at hand and not used.
        predict_as: what happens to the test images before they are examined, such as damage.
    """
    fabric, store = fabric_of(), FeatureCache(cache)
    train = world.pool.select(np.arange(rows))
    test = predict_as(world.test)
    fitted = fit_model(
        load_pretrained(BACKBONE), Splits(train, world.validation, test), recipe, cache=store, fabric=fabric
    )
    own = Splits(train, world.validation, test)
    rest = world.pool.select(np.arange(rows, len(world.pool)))

    def retrainer(examined: Dataset) -> Retrainer:
        return Retrainer(
            fitted.predictor, own, recipe, examined,
            lambda _: copy.deepcopy(load_pretrained(BACKBONE)), store, fabric, rest,
        )  # fmt: skip

    def retrain_of(places: Ints) -> Callable[..., Reals]:
        return partial(train_once, retrainer(test.select(places)))

    predictions = fitted.predictor.predictions(test, name="test")
    inputs = ExaminationInputs(
        test=test, predictions=predictions, validation=fitted.validation,
        others={"train": train, "val": world.validation}, seed=recipe.seed,
    )  # fmt: skip
    tools = LeverTools(
        predict=fitted.predictor.logits,
        retrainer=retrain_of,
        features=lambda wanted: retrainer(test.select(np.arange(1))).features(wanted),
        train_labels=train.labels,
        train_ids=train.ids,
        flagged=np.zeros(rows, dtype=bool) if flagged is None else flagged,
        resolution=recipe.resolution,
        unused=unused,
        enlarge=partial(stored_at_input_size, fitted.predictor.preprocessing),
    )
    findings = examine_levers(inputs, tools, sizes)
    right = float((predictions.labels == predictions.predicted).mean())
    return Study(world, rows, recipe, retrainer, findings, right)
