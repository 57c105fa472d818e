"""The checkpoint that all arms start from: the end of the frozen phase."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset, Splits, positions_of_ids
from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.feature_cache import FeatureCache, dataset_maps
from deepsight.model.finetune import finetune_phase
from deepsight.model.fit import preprocessing_of
from deepsight.model.linear_probe import linear_probe_phase
from deepsight.model.pretrained import Pretrained
from deepsight.model.sampling import Mixing
from deepsight.model.training_state import TrainablePart, Training, open_view, prepare


@dataclass(frozen=True)
class Setting:
    """What all arms of a trial share.

    Attributes:
        splits: the training rows of the trial, and the run's validation; test is opened by `opening` alone.
        recipe: of the control.
        load: the pretrained backbone of a timm name; an empty name is the run's own.
        cache: where maps of the frozen stages are kept.
        fabric: precision, device and processes.
    """

    splits: Splits
    recipe: Recipe
    load: Callable[[str], Pretrained]
    cache: FeatureCache
    fabric: Fabric


@dataclass
class Starts:
    """The start of each backbone and resolution, made once and never changed."""

    setting: Setting
    made: dict[tuple[str, int], Training] = field(default_factory=dict)
    opened: dict[tuple[str, int], NDArray[np.float16]] = field(default_factory=dict)

    def at(self, backbone: str, resolution: int) -> Training:
        """The frozen backbone with its closed-form head, and the cached views."""
        key = backbone, resolution
        if key not in self.made:
            self.made[key] = self._make(backbone, resolution)
        return self.made[key]

    def _make(self, backbone: str, resolution: int) -> Training:
        setting = self.setting
        recipe = replace(setting.recipe, resolution=resolution)
        pretrained = setting.load(backbone)
        classifier = Classifier(
            copy.deepcopy(pretrained.backbone),
            len(setting.splits.classes),
            trained_reductions=recipe.trained_reductions,
        ).to(setting.fabric.device)
        training = prepare(
            classifier,
            setting.splits,
            preprocessing_of(pretrained, recipe),
            recipe,
            cache=setting.cache,
            fabric=setting.fabric,
        )
        linear_probe_phase(training)
        return training

    def test_maps(self, backbone: str, resolution: int) -> NDArray[np.float16]:
        """The maps of the frozen stages of the test images."""
        key = backbone, resolution
        if key not in self.opened:
            self.opened[key] = self._test_maps(backbone, resolution)
        return self.opened[key]

    def _test_maps(self, backbone: str, resolution: int) -> NDArray[np.float16]:
        start, test = self.at(backbone, resolution), self.setting.splits.test
        preprocessing = preprocessing_of(self.setting.load(backbone), start.recipe)
        return dataset_maps(start.classifier.frozen_stages, test, preprocessing, "test")


def arm_of(start: Training, train: Dataset, data: Dataset, recipe: Recipe, steps: int) -> Training:
    """A training of its own that begins where `start` stands.

    Args:
        start: is not changed.
        train: the rows that the start's views hold.
        data: some of these rows, perhaps under other labels.
        recipe: of the arm; its epochs are replaced by what `steps` amount to.
        steps: steps of the optimiser.
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
        mixed=views.mixed(Mixing.of(recipe)) if recipe.mixes_images else None,
    )


def fill_views(arm: Training) -> None:
    """Make the cached views that the arm will draw from, where they are not there yet."""
    for number in range(min(arm.recipe.views, ceil(arm.recipe.epochs))):
        open_view(arm, arm.drawn, number)


def train_arm(arm: Training) -> None:
    """Fine-tune it, without looking at validation on the way."""
    arm.fabric.seed_everything(arm.recipe.seed, verbose=False)
    for _ in finetune_phase(arm, validated=False):
        pass
