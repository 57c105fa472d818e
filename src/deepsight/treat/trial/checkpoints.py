"""The checkpoint that all arms start from: the backbone with its linear probe."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from deepsight.core.array_types import Floats32
from deepsight.core.dataset import Dataset, Splits, positions_of_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.cached_views import as_input, dataset_maps
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.finetune import finetune_phase
from deepsight.model.training.fit import preprocessing_of
from deepsight.model.training.linear_probe import linear_probe_phase
from deepsight.model.training.training_state import (
    TrainablePart,
    Training,
    open_view,
    pooled,
    prepare_training,
)
from deepsight.model.training.training_views import mixed_views

BLOCK = 256  # images per pass


@dataclass(frozen=True)
class TrialConfig:
    """The configuration shared by all arms of a trial.

    Attributes:
        splits: the trial's training rows and the run's validation; only the final test uses test images.
        recipe: of the control.
        load: loads the pretrained backbone with a timm name; an empty name means the run's own.
        cache: of the frozen stages' feature maps.
        fabric: precision, device and processes.
    """

    splits: Splits
    recipe: Recipe
    load: Callable[[str], Pretrained]
    cache: FeatureCache
    fabric: Fabric


@dataclass
class Checkpoints:
    """One checkpoint per backbone and resolution, made once and never changed."""

    config: TrialConfig
    made: dict[tuple[str, int], Training] = field(default_factory=dict)
    opened: dict[tuple[str, int], NDArray[np.float16]] = field(default_factory=dict)

    def at(self, backbone: str, resolution: int) -> Training:
        """The frozen backbone with its linear probe, and the cached views."""
        key = backbone, resolution
        if key not in self.made:
            self.made[key] = self._make(backbone, resolution)
        return self.made[key]

    def _make(self, backbone: str, resolution: int) -> Training:
        config = self.config
        recipe = replace(config.recipe, resolution=resolution)
        pretrained = config.load(backbone)
        classifier = Classifier(
            copy.deepcopy(pretrained.backbone),
            len(config.splits.classes),
            trained_reductions=recipe.trained_reductions,
        ).to(config.fabric.device)
        training = prepare_training(
            classifier,
            config.splits,
            preprocessing_of(pretrained, recipe),
            recipe,
            cache=config.cache,
            fabric=config.fabric,
        )
        linear_probe_phase(training)
        return training

    def test_maps(self, backbone: str, resolution: int) -> NDArray[np.float16]:
        """The frozen stages' feature maps of the test images, computed once."""
        key = backbone, resolution
        if key not in self.opened:
            self.opened[key] = self.maps_of(self.config.splits.test, backbone, resolution)
        return self.opened[key]

    def maps_of(self, images: Dataset, backbone: str, resolution: int) -> NDArray[np.float16]:
        """The frozen stages' feature maps of some test images."""
        start = self.at(backbone, resolution)
        preprocessing = preprocessing_of(self.config.load(backbone), start.recipe)
        return dataset_maps(start.classifier.frozen_stages, images, preprocessing, "test")


def arm_training(start: Training, train: Dataset, data: Dataset, recipe: Recipe, steps: int) -> Training:
    """A new training that begins at `start`.

    Args:
        start: the checkpoint, which is not changed.
        train: the rows in the checkpoint's views.
        data: some of these rows, possibly with other labels.
        recipe: of the arm; `steps` replaces its epochs.
        steps: optimiser steps.

    Raises:
        DeepSightError: there are fewer training images than a batch.
    """
    if len(data) < recipe.batch:
        raise DeepSightError(
            f"Expected at least a batch of {recipe.batch} training images, received {len(data)}."
        )
    classifier = copy.deepcopy(start.classifier)
    views = start.views.select(positions_of_ids(train.ids, data.ids))
    return replace(
        start,
        classifier=classifier,
        trainable=TrainablePart(classifier.trainable_stages, classifier.head),
        views=views,
        labels=data.labels,
        recipe=replace(recipe, epochs=steps / (len(data) // recipe.batch)),
        mixed=mixed_views(views, recipe),
    )


def features_of_maps(trainable: TrainablePart, maps: NDArray[np.float16]) -> Floats32:
    """The pooled features (n, d) of the trained part, from the feature maps of the frozen stages."""
    blocks = [as_input(maps[i : i + BLOCK]) for i in range(0, len(maps), BLOCK)]
    return np.concatenate([pooled(trainable, block) for block in blocks])


def fill_views(arm: Training) -> None:
    """Compute the cached views that the arm needs, if they do not exist yet."""
    for number in range(min(arm.recipe.views, ceil(arm.recipe.epochs))):
        open_view(arm, arm.drawn, number)


def train_arm(arm: Training) -> None:
    """Fine-tune the arm without evaluating it on validation."""
    arm.fabric.seed_everything(arm.recipe.seed, verbose=False)
    for _ in finetune_phase(arm, validated=False):
        pass
