"""The effect of leakage: training images that repeat test images kept against dropped, with equal steps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, join_datasets
from deepsight.core.evidence import Table
from deepsight.core.recipe import Recipe
from deepsight.model.feature_cache import as_input, dataset_maps
from deepsight.model.fit import preprocessing_of
from deepsight.model.linear_probe import linear_probe_phase
from deepsight.model.training_state import Training, logits_of, pooled
from deepsight.treat.treatments.base import CONTROL
from deepsight.treat.trial.arm import arm_key
from deepsight.treat.trial.checkpoints import Checkpoints, TrialConfig, arm_training, fill_views, train_arm
from deepsight.treat.trial.leakage_table import leakage_table
from deepsight.treat.trial.store import ArmResult, Store

SHARE = 0.15  # of a trial's minutes, where there is leakage to measure
FEWEST = 20  # test images with a copy; on fewer nothing could be shown
FEWEST_STEPS = 30
MOST = 0.2  # copies, as a share of the other training rows: more would make it another training
DROPPED, KEPT = "leaks_dropped", "leaks_kept"


@dataclass(frozen=True)
class Leakage:
    """Training images that repeat test images, and which.

    Attributes:
        rows: the training images (m), on which no arm of the trial trains.
        row_cluster: int64 (m,), the group of near-duplicates of each.
        test: int64 (t,), ids of the test images that they repeat.
        test_cluster: int64 (t,), their groups.
    """

    rows: Dataset
    row_cluster: Ints
    test: Ints
    test_cluster: Ints

    @property
    def measurable(self) -> bool:
        """Whether there are enough test images to show an effect on."""
        return len(self.test) >= FEWEST and len(self.rows) > 0

    def limited(self, most: int, rng: np.random.Generator) -> "Leakage":
        """Whole groups drawn at random, with at most this many training images but at least one group."""
        groups, sizes = np.unique(self.row_cluster, return_counts=True)
        order = rng.permutation(len(groups))
        kept = groups[order[: max(int((np.cumsum(sizes[order]) <= most).sum()), 1)]]
        rows, test = np.isin(self.row_cluster, kept), np.isin(self.test_cluster, kept)
        return Leakage(
            self.rows.select(np.flatnonzero(rows)), self.row_cluster[rows],
            self.test[test], self.test_cluster[test],
        )  # fmt: skip


def affordable_steps(seconds: float, step_seconds: float, most: int, seeds: int) -> int:
    """Steps of each training that these seconds pay for, at most `most`; 0 where they are too few to matter.

    Beside the 2 × seeds trainings there are the views of the rows, which cost about as much as two more.
    """
    steps = min(most, int(seconds / max(step_seconds, 1e-9) / (2 * seeds + 2)))
    return steps if steps >= min(FEWEST_STEPS, most) else 0


def measure_leakage(
    config: TrialConfig, leakage: Leakage, *, recipes: Sequence[Recipe], steps: int, store: Store
) -> Table:
    """Train with and without the copies, and compare both on the test images that they repeat.

    Both arms have the same seeds and the same number of steps, and each has a linear probe of its own. As
    many other test images, drawn at random, are the control: there the copies should change nothing. Nothing
    is chosen by it, so the test set decides about nothing.

    Args:
        config: the trial's; its training rows hold no copies.
        leakage: the copies.
        recipes: of both arms, one for each seed.
        steps: of each training.
        store: where finished arms are kept.

    Returns:
        The table `leakage_effect`.
    """
    rng, train = np.random.default_rng(config.recipe.seed), config.splits.train
    used = leakage.limited(max(int(MOST * len(train)), 1), rng)
    every = join_datasets([train, used.rows], train.source)
    test = tested_images(config.splits.test, used.test, leakage.test, rng)
    checkpoints = Checkpoints(replace(config, splits=replace(config.splits, train=every)))
    dropped, kept = (
        arm_answers(name, data, checkpoints, test, recipes, steps, store) == test.labels
        for name, data in ((DROPPED, train), (KEPT, every))
    )
    near = np.isin(test.ids, used.test)
    share = len(leakage.test) / len(config.splits.test)
    return leakage_table(dropped, kept, near, copies=len(used.rows), train=len(train), leaked=share)


def tested_images(test: Dataset, near: Ints, leaked: Ints, rng: np.random.Generator) -> Dataset:
    """The test images with these ids, and as many at random of those that have no copy at all."""
    others = rng.permutation(np.flatnonzero(~np.isin(test.ids, leaked)))[: len(near)]
    return test.select(np.sort(np.concatenate([np.flatnonzero(np.isin(test.ids, near)), others])))


def arm_answers(
    name: str,
    data: Dataset,
    checkpoints: Checkpoints,
    test: Dataset,
    recipes: Sequence[Recipe],
    steps: int,
    store: Store,
) -> NDArray[np.int64]:
    """The classes (seeds, n) that an arm predicts for the test images, trained now or read from the store."""
    keys = [f"{arm_key(CONTROL, recipe, data, steps)}-{test.ids.sum()}-{len(test)}" for recipe in recipes]
    found = [store.load(name, recipe.seed, key) for recipe, key in zip(recipes, keys, strict=True)]
    if None in found:
        start, maps = own_start(data, checkpoints, recipes[0], steps), maps_of_test(checkpoints, test)
    for place, (recipe, key) in enumerate(zip(recipes, keys, strict=True)):
        if found[place] is None:
            arm = arm_training(start, data, data, recipe, steps)
            fill_views(arm)
            train_arm(arm)
            outcome = ArmResult(name, recipe.seed, logits_of_test(arm, maps), steps, 0.0)
            store.save(outcome, key)
            found[place] = outcome
    return np.stack([outcome.predicted for outcome in found if outcome is not None])


def own_start(data: Dataset, checkpoints: Checkpoints, recipe: Recipe, steps: int) -> Training:
    """A start for an arm that has seen only its own rows: the frozen backbone with a probe fitted to them."""
    start = checkpoints.at("", recipe.resolution)
    own = arm_training(start, checkpoints.config.splits.train, data, recipe, steps)
    linear_probe_phase(own)
    return own


def maps_of_test(checkpoints: Checkpoints, test: Dataset) -> NDArray[np.float16]:
    """The frozen stages' feature maps of these test images."""
    config = checkpoints.config
    start = checkpoints.at("", config.recipe.resolution)
    preprocessing = preprocessing_of(config.load(""), start.recipe)
    return dataset_maps(start.classifier.frozen_stages, test, preprocessing, "test")


def logits_of_test(arm: Training, maps: NDArray[np.float16]) -> NDArray[np.float32]:
    """The logits (n, k) of an arm for test images, from the maps of its frozen stages."""
    blocks = [as_input(maps[i : i + 256]) for i in range(0, len(maps), 256)]
    features = np.concatenate([pooled(arm.trainable, block) for block in blocks])
    return np.asarray(logits_of(arm, features).numpy(), dtype=np.float32)
