"""A reference model, trained on the data's own training part, which judges the labels of foreign predictions.

A model's doubt about its own errors says little about what people would answer; that of an independent model
says more.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from lightning_fabric import Fabric

from deepsight.core.array_types import Floats, Floats32, Ints
from deepsight.core.dataset import Dataset, Splits
from deepsight.core.environment import machine_mb, peak_rss_mb, rss_mb
from deepsight.core.errors import DeepSightError
from deepsight.core.group_split import grouped_rows
from deepsight.core.progress import Log, silent
from deepsight.interpret.labels.label_sources import ExaminedSplit
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.hardware.throughput import faster_base, fused_copy, measured_throughput
from deepsight.model.plan_search import PlanCandidate, Workload, batch_for, best_plan, resolutions_for
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.fit import Fitted, base_recipe, fabric_of, fit_model
from deepsight.obtain.cache import cache_folder
from deepsight.workflows.examine.independent_rows import (
    TooFewIndependent,
    independent_halves,
    independent_rows,
)
from deepsight.workflows.folds import copied_backbone
from deepsight.workflows.near_duplicates import duplicate_seconds

SIDES = (64, 96, 128)  # resolutions to choose from, in pixels
FEWEST_SECONDS = 20.0  # with less time, measuring this machine would take too much of it
FEWEST_ROWS = 500  # training images from which a reference model is worth its time,
FEWEST_PER_CLASS = 20  # and per class on average
VALIDATION = 0.05  # share of the training images that guard against a fine-tuning that ends worse,
MOST_VALIDATION = 500  # but at most this many
OVERRUN = 1.5  # the smallest training may take this many times the seconds allowed
ROOM = 0.8  # share of the machine's memory that the training may use
TOO_SHORT = (
    "There is not enough time for a reference model, so frozen features judge the labels. They agree less "
    "with people; allow more --minutes."
)


@dataclass(frozen=True)
class Reference:
    """The predictions of a reference model for the examined images.

    Attributes:
        probabilities: float64 (n, k); the model was not trained on these images.
        features: (n, d) of these images by the name of their space: "reference", of the trained network
            (absent if several networks share the images), and "frozen", from before its training.
        train: labels and "frozen" features of its training images; None if the examined images are the
            training images.
        resolution: side of its input in pixels.
        rows: training images.
    """

    probabilities: Floats
    features: Mapping[str, Floats32]
    train: ExaminedSplit | None
    resolution: int
    rows: int


def train_reference(
    pretrained: Pretrained, train: Dataset, examined: Dataset, *, seconds: float, seed: int,
    fabric: Fabric | None = None, log: Log = silent,
) -> Reference | None:  # fmt: skip
    """Train a reference model for these images; None if there are too few training images or too little time.

    Images of the training part itself are judged in two halves, each by the model trained on the other; a
    group, such as the images of one patient, is in one half, and either trains or validates. Training images
    that are near-duplicates of a judged image, or of its group, are left out.

    Args:
        pretrained: the backbone; a copy is trained.
        train: the training images with their labels.
        examined: the images whose labels are judged.
        seconds: for the training and the predictions.
        seed: random seed.
        fabric: precision, device and processes.
        log: receives progress and warnings.
    """
    fabric = fabric or fabric_of()
    inside = shares_images(examined, train)
    halves = 2 if inside else 1
    if len(train) // halves < max(FEWEST_ROWS, FEWEST_PER_CLASS * train.k):
        return None
    plan = planned_reference(
        pretrained, len(train) // halves, len(examined), train.k, seconds / halves, seed, fabric
    )
    if plan is None:
        log(TOO_SHORT)
        return None
    log(
        f"A reference model judges the labels: {pretrained.name} at {plan.recipe.resolution} px, trained on "
        f"{plan.rows:,} training images."
    )
    trainer = ReferenceTrainer(pretrained, plan, seed, fabric)
    try:
        return trainer.by_halves(train, examined) if inside else trainer.outside(train, examined)
    except TooFewIndependent as error:
        log(f"{error} Frozen features judge the labels instead.")
        return None


def shares_images(examined: Dataset, train: Dataset) -> bool:
    """Whether any examined image is a training image."""
    return examined.source == train.source and bool(np.isin(examined.ids, train.ids).any())


def planned_reference(
    pretrained: Pretrained, rows: int, examined: int, k: int, seconds: float, seed: int, fabric: Fabric
) -> PlanCandidate | None:
    """The plan with the lowest expected error that fits into the seconds; None if none does.

    The time to measure the machine is part of the seconds.
    """
    if seconds < FEWEST_SECONDS:
        return None
    began = time.perf_counter()
    base = base_recipe(pretrained, seed)
    base = replace(base, batch=batch_for(rows, base.batch))
    network = fused_copy(pretrained, base, k=k, device=fabric.device)
    base = faster_base(network, base)
    sides = [side for side in resolutions_for(seconds) if side in SIDES]
    rates = measured_throughput(network, pretrained, base, [pretrained.side] if pretrained.side else sides)
    work = Workload(
        rows=rows - validation_count(rows), validation=validation_count(rows), test=examined,
        elapsed=time.perf_counter() - began, fixed={"scrub": 0.0}, embedded=lambda _: {},
        duplicate_seconds=duplicate_seconds, resident_mb=rss_mb(), peak_mb=peak_rss_mb(),
        memory_mb=ROOM * machine_mb(),
    )  # fmt: skip
    try:
        found = best_plan(base, rates, work, seconds)
    except DeepSightError:
        return None
    return found if work.elapsed + found.total <= OVERRUN * seconds else None


def validation_count(rows: int) -> int:
    """The number of training images held out for validation."""
    return max(1, min(MOST_VALIDATION, round(VALIDATION * rows)))


def validation_split(train: Dataset, seed: int) -> tuple[Ints, Ints]:
    """The rows to train on and those that validate, both in random order; no group among both.

    Raises:
        TooFewIndependent: no groups could validate without taking a class from the training images.
    """
    order, count = np.random.default_rng([seed, 21]).permutation(len(train)), validation_count(len(train))
    if train.groups is None:
        return order[count:], order[:count]
    try:
        kept, held = grouped_rows(train.labels, train.groups, share=count / len(train), seed=seed)
    except DeepSightError as error:
        raise TooFewIndependent(str(error)) from error
    return order[np.isin(order, kept)], order[np.isin(order, held)][:count]


@dataclass(frozen=True)
class ReferenceTrainer:
    """Trains reference models of one plan."""

    pretrained: Pretrained
    plan: PlanCandidate
    seed: int
    fabric: Fabric

    def outside(self, train: Dataset, examined: Dataset) -> Reference:
        """One model, for images outside the training part."""
        frozen, fitted, rows = self.trained(train, examined)
        said, before = frozen.beside(fitted.predictor, examined, name="examined")
        seen = train.select(rows[fitted.frozen.rows])
        return self.reference(
            said.probabilities, {"reference": np.asarray(said.features, np.float32), "frozen": before},
            ExaminedSplit(
                seen.ids, seen.labels, None, fitted.frozen.features, "frozen", groups=seen.groups
            ),
        )  # fmt: skip

    def by_halves(self, train: Dataset, examined: Dataset) -> Reference:
        """Two models, each of which judges the images that the other was trained on."""
        half = independent_halves(train, self.seed)
        place = dict(zip(train.ids.tolist(), half.tolist(), strict=True))
        judged_by = np.array([1 - place.get(index, 0) for index in examined.ids.tolist()])
        probabilities = np.empty((len(examined), train.k))
        features: Floats32 | None = None
        for side in (0, 1):
            rows = np.flatnonzero(judged_by == side)
            if not len(rows):
                continue
            judged = examined.select(rows)
            frozen, fitted, _ = self.trained(train.select(np.flatnonzero(half == side)), judged)
            said, before = frozen.beside(fitted.predictor, judged, name="examined")
            features = (
                np.empty((len(examined), before.shape[1]), np.float32) if features is None else features
            )
            probabilities[rows], features[rows] = said.probabilities, before
        assert features is not None
        return self.reference(probabilities, {"frozen": features}, None)

    def reference(
        self, probabilities: Floats, features: Mapping[str, Floats32], train: ExaminedSplit | None
    ) -> Reference:
        """The result with the resolution and the rows of the plan."""
        return Reference(probabilities, features, train, self.plan.recipe.resolution, self.plan.rows)

    def trained(self, train: Dataset, judged: Dataset) -> tuple[FrozenBackbone, Fitted, Ints]:
        """The backbone before training, the trained model, and the rows that it was trained on.

        Near-duplicates of judged images and images of their groups are not among these rows.
        """
        frozen = FrozenBackbone(self.pretrained)
        kept, held = validation_split(train, self.seed)
        rows = np.sort(kept[: self.plan.rows])
        rows = rows[independent_rows(train.select(rows), judged, seed=self.seed)]
        if len(rows) < FEWEST_PER_CLASS * train.k:
            raise TooFewIndependent(
                f"Expected {FEWEST_PER_CLASS * train.k} training images that are neither near-duplicates of "
                f"a judged image nor of its group, found {len(rows)}."
            )
        splits = Splits(
            train.select(rows), train.select(np.sort(held)), train.select(np.empty(0, dtype=np.int64))
        )
        fitted = fit_model(
            copied_backbone(self.pretrained), splits, self.plan.recipe,
            cache=FeatureCache(cache_folder() / "trunk"), fabric=self.fabric,
        )  # fmt: skip
        return frozen, fitted, rows
