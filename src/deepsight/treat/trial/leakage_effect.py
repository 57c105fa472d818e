"""The effect of split leakage: training with near-duplicates of test images against training without them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, join_datasets
from deepsight.core.evidence import Table
from deepsight.core.recipe import Recipe
from deepsight.model.training.linear_probe import linear_probe_phase
from deepsight.model.training.training_state import Training, head_logits
from deepsight.treat.treatments.base import CONTROL
from deepsight.treat.trial.arm import arm_key
from deepsight.treat.trial.checkpoints import (
    Checkpoints,
    TrialConfig,
    arm_training,
    features_of_maps,
    fill_views,
    train_arm,
)
from deepsight.treat.trial.leakage_table import leakage_table
from deepsight.treat.trial.store import ArmResult, Store

SHARE = 0.15  # share of a trial's minutes, if there is leakage to measure
FEWEST = 20  # test images with a copy; with fewer no effect could be shown
FEWEST_STEPS = 30
MOST = 0.2  # copies as a share of the other training rows: more would change the training itself
DROPPED, KEPT = "leaks_dropped", "leaks_kept"


@dataclass(frozen=True)
class Leakage:
    """Training images that are near-duplicates of test images ("copies"), and those test images.

    Attributes:
        rows: the m copies, on which no arm of the trial trains.
        row_cluster: int64 (m,), the cluster of near-duplicates of each.
        test: int64 (t,), ids of the test images that they repeat.
        test_cluster: int64 (t,), their clusters.
    """

    rows: Dataset
    row_cluster: Ints
    test: Ints
    test_cluster: Ints

    @property
    def measurable(self) -> bool:
        """Whether there are enough repeated test images to show an effect."""
        return len(self.test) >= FEWEST and len(self.rows) > 0

    def limited(self, most: int, rng: np.random.Generator) -> "Leakage":
        """Whole clusters drawn at random, with at most this many copies but at least one cluster."""
        groups, sizes = np.unique(self.row_cluster, return_counts=True)
        order = rng.permutation(len(groups))
        kept = groups[order[: max(int((np.cumsum(sizes[order]) <= most).sum()), 1)]]
        rows, test = np.isin(self.row_cluster, kept), np.isin(self.test_cluster, kept)
        return Leakage(
            self.rows.select(np.flatnonzero(rows)), self.row_cluster[rows],
            self.test[test], self.test_cluster[test],
        )  # fmt: skip


def affordable_steps(seconds: float, step_seconds: float, most: int, seeds: int) -> int:
    """Steps per training that fit into these seconds, at most `most`; 0 if they are too few to be useful.

    Besides the 2 × seeds trainings, the views of the rows cost about as much as two more.
    """
    steps = min(most, int(seconds / max(step_seconds, 1e-9) / (2 * seeds + 2)))
    return steps if steps >= min(FEWEST_STEPS, most) else 0


def measure_leakage(
    config: TrialConfig, leakage: Leakage, *, recipes: Sequence[Recipe], steps: int, store: Store
) -> Table:
    """Train with and without the copies, and compare both on the test images that they repeat.

    Both arms have the same seeds and numbers of steps, and each starts from its own linear probe. As many
    other test images, drawn at random, are the control: there the copies should change nothing. No choice
    depends on the result, so the test set stays unused for decisions.

    Args:
        config: of the trial; its training rows contain no copies.
        leakage: the copies.
        recipes: of both arms, one per seed.
        steps: of each training.
        store: keeps finished arms.

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
    """The test images with these ids, and as many at random of those without any copy."""
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
    """The classes (s, n) that an arm predicts for the test images, newly trained or from the store."""
    keys = [f"{arm_key(CONTROL, recipe, data, steps)}-{test.ids.sum()}-{len(test)}" for recipe in recipes]
    found = [store.load(name, recipe.seed, key) for recipe, key in zip(recipes, keys, strict=True)]
    if None in found:
        start = own_start(data, checkpoints, recipes[0], steps)
        maps = checkpoints.maps_of(test, "", checkpoints.config.recipe.resolution)
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
    """The checkpoint of an arm: the frozen backbone with a linear probe fitted to the arm's own rows."""
    start = checkpoints.at("", recipe.resolution)
    own = arm_training(start, checkpoints.config.splits.train, data, recipe, steps)
    linear_probe_phase(own)
    return own


def logits_of_test(arm: Training, maps: NDArray[np.float16]) -> NDArray[np.float32]:
    """The logits (n, k) of an arm, from the feature maps of its frozen stages."""
    logits = head_logits(arm.classifier.head, features_of_maps(arm.trainable, maps))
    return np.asarray(logits.numpy(), dtype=np.float32)
