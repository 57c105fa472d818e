"""A reference model: trained on the data's own training part, it judges labels beside a foreign model.

What a model doubts about its own errors says little about people; what an independent one doubts says more.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from lightning_fabric import Fabric

from deepsight.core.array_types import Floats, Floats32, Ints
from deepsight.core.dataset import Dataset, Splits
from deepsight.core.environment import machine_mb, peak_rss_mb, rss_mb
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log, silent
from deepsight.interpret.labels.cross_validation import stratified_folds
from deepsight.interpret.labels.sources import ExaminedSplit
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.fit import Fitted, base_recipe, fabric_of, fit_model
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.hardware.throughput import faster_base, fused_copy, measured_throughput
from deepsight.model.plan_search import PlanCandidate, Workload, batch_for, best_plan, resolutions_for
from deepsight.model.pretrained import Pretrained
from deepsight.obtain.cache import cache_folder
from deepsight.workflows.examine.independent_rows import independent_rows
from deepsight.workflows.near_duplicates import duplicate_seconds

SIDES = (64, 96, 128)  # resolutions to choose from, in pixels
FEWEST_SECONDS = 20.0  # below which measuring this machine would already take too much of the time
FEWEST_ROWS = 500  # training images from which a reference model is worth its time,
FEWEST_PER_CLASS = 20  # and of each class on average
VALIDATION = 0.05  # share of the training images that only guard against a fine-tuning that ends worse,
MOST_VALIDATION = 500  # but at most so many
OVERRUN = 1.5  # times the seconds that the smallest training may take
ROOM = 0.8  # share of the machine's memory
TOO_SHORT = (
    "There is not enough time for a reference model, so frozen features judge the labels. They agree less "
    "with people; allow more --minutes."
)


@dataclass(frozen=True)
class Reference:
    """What a reference model says of the examined images.

    Attributes:
        probabilities: float64 (n, k); the model has not been trained on the labels of these images.
        features: (n, d) of these images by the name of their space: "reference", from the trained network
            (absent where several networks share the images), and "frozen", from before its training.
        train: labels and "frozen" features of the training images that the model saw; None where the examined
            images are the training images.
        resolution: side of its input in pixels.
        rows: training images.
    """

    probabilities: Floats
    features: Mapping[str, Floats32]
    train: ExaminedSplit | None
    resolution: int
    rows: int


class TooFewIndependent(DeepSightError):
    """Too many training images repeat the judged ones."""


def train_reference(
    pretrained: Pretrained, train: Dataset, examined: Dataset, *, seconds: float, seed: int,
    fabric: Fabric | None = None, log: Log = silent,
) -> Reference | None:  # fmt: skip
    """A reference model for these images; None where there is too little to train on, or too little time.

    Images of the training part itself are judged by halves: each by the model that was trained on the other.
    Training images that repeat a judged image are left out.

    Args:
        pretrained: the backbone; a copy is trained.
        train: the training images with their labels.
        examined: the images whose labels are judged.
        seconds: that the training and the predictions may take.
        seed: random seed.
        fabric: precision, device and processes.
        log: receives what the work says.
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
    """The training with the least expected error that fits into the seconds; None where none does.

    What this takes itself, measuring the machine, is part of the seconds.
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
        rows=rows - validation_rows(rows), validation=validation_rows(rows), test=examined,
        elapsed=time.perf_counter() - began, fixed={"scrub": 0.0}, embedded=lambda _: {},
        duplicate_seconds=duplicate_seconds, resident_mb=rss_mb(), peak_mb=peak_rss_mb(),
        memory_mb=ROOM * machine_mb(),
    )  # fmt: skip
    try:
        found = best_plan(base, rates, work, seconds)
    except DeepSightError:
        return None
    return found if work.elapsed + found.total <= OVERRUN * seconds else None


def validation_rows(rows: int) -> int:
    """Training images that are set apart."""
    return max(1, min(MOST_VALIDATION, round(VALIDATION * rows)))


@dataclass(frozen=True)
class ReferenceTrainer:
    """Trains reference models of one plan."""

    pretrained: Pretrained
    plan: PlanCandidate
    seed: int
    fabric: Fabric

    def outside(self, train: Dataset, examined: Dataset) -> Reference:
        """One model, for images that are none of the training images."""
        frozen, fitted, rows = self.trained(train, examined)
        said, before = frozen.beside(fitted.predictor, examined, name="examined")
        seen = train.select(rows[fitted.frozen.rows])
        return self.reference(
            said.probabilities, {"reference": np.asarray(said.features, np.float32), "frozen": before},
            ExaminedSplit(seen.ids, seen.labels, None, fitted.frozen.features, "frozen"),
        )  # fmt: skip

    def by_halves(self, train: Dataset, examined: Dataset) -> Reference:
        """Two models, each of which judges the images that the other was trained on."""
        half = stratified_folds(train.labels, 2, self.seed)
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
        """What was found, with what it was made by."""
        return Reference(probabilities, features, train, self.plan.recipe.resolution, self.plan.rows)

    def trained(self, train: Dataset, judged: Dataset) -> tuple[FrozenBackbone, Fitted, Ints]:
        """The backbone before training, the trained model, and the rows that it was trained on.

        Training images that repeat a judged image are none of these rows.
        """
        frozen = FrozenBackbone(self.pretrained)
        order = np.random.default_rng([self.seed, 21]).permutation(len(train))
        held = validation_rows(len(train))
        rows = np.sort(order[held : held + self.plan.rows])
        rows = rows[independent_rows(train.select(rows), judged, seed=self.seed)]
        if len(rows) < FEWEST_PER_CLASS * train.k:
            raise TooFewIndependent(
                f"Expected {FEWEST_PER_CLASS * train.k} training images that repeat no judged image, found "
                f"{len(rows)}."
            )
        splits = Splits(
            train.select(rows), train.select(np.sort(order[:held])), train.select(np.empty(0, dtype=np.int64))
        )
        copied = replace(self.pretrained, backbone=copy.deepcopy(self.pretrained.backbone))
        fitted = fit_model(
            copied, splits, self.plan.recipe, cache=FeatureCache(cache_folder() / "trunk"), fabric=self.fabric
        )
        return frozen, fitted, rows
