"""Cheap retrainings of a trained model: on maps that are cached already, judged on few images."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.dataset import Dataset, JoinedImages, Splits
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.cached_views import as_input, as_stored, dataset_maps
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.frozen_backbone import same_weights
from deepsight.model.predict import Predictor
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.finetune import finetune_phase
from deepsight.model.training.fit import preprocessing_of
from deepsight.model.training.linear_probe import fit_head
from deepsight.model.training.training_state import (
    TrainablePart,
    Training,
    head_logits,
    pooled,
    prepare_training,
)
from deepsight.model.training.training_views import HeldMaps

BLOCK = 256  # images whose maps pass at once
RESTART = 2.0  # times the recipe's peak rate, so that trainings that start from the same weights diverge
# The fewest steps of such a training. With four at that rate, single trainings on 512 rows erred three times
# as often as the model: docs/decisions/0101-retrainings-stay-near-the-model.md.
RESTART_STEPS = 16
FEWEST_STEPS = 4  # of the optimiser, in any training
HELD = 32  # validation images that `prepare_training` needs, though nothing is selected by them


@dataclass
class Retrainer:
    """Trains the model again in various ways and returns the logits of the same test images each time.

    Attributes:
        predictor: the trained model.
        splits: its training rows and validation; test is not used.
        recipe: of the model.
        examined: the test images.
        load: returns the pretrained backbone of a timm name; an empty name means the model's own.
        cache: holds the frozen stages' maps.
        fabric: precision, device and processes.
        unused: training images that the plan left out; their positions follow those of the training split.
    """

    predictor: Predictor
    splits: Splits
    recipe: Recipe
    examined: Dataset
    load: Callable[[str], Pretrained]
    cache: FeatureCache
    fabric: Fabric
    unused: Dataset | None = None
    _starts: dict[tuple[str, int], Training] = field(default_factory=dict)
    _seen: dict[tuple[str, int], NDArray[np.float16]] = field(default_factory=dict)

    def last_stage(
        self, rows: Ints, seed: int, *, passes: float = 1.0, labels: Ints | None = None,
        pixels: Pixels | None = None,
    ) -> Floats32:  # fmt: skip
        """Continue training the last stage and the head on these rows, with a fresh schedule.

        The stages before the last are those of the trained model. A training so costs half of a full one, and
        needs fewer passes; how much the earlier stages would differ it cannot show.

        Args:
            rows: positions in the training split; a repeated position counts as often as it is repeated.
            seed: of the order.
            passes: over these rows.
            labels: of these rows, (r,); None takes their own.
            pixels: of these rows, uint8 (r, h, w, 3); None takes their own images.
        """
        stages, last = self._halves()
        part = TrainablePart(copy.deepcopy(last), copy.deepcopy(self.predictor.classifier.head))
        own = self._trunk_maps_of(pixels) if pixels is not None else map(self._trunk_maps, blocks(rows))
        maps = through(stages, own)
        recipe = self._recipe_for(len(rows), passes, seed, fewest_steps=RESTART_STEPS)
        rate = RESTART * recipe.batch / self.recipe.batch  # smaller batches take smaller steps
        training = replace(
            self._start("", self.recipe.resolution),
            trainable=part,
            views=HeldMaps(maps),
            labels=self.splits.train.labels[rows] if labels is None else labels,
            recipe=replace(recipe, learning_rate=rate * recipe.learning_rate),
            mixed=None,
        )
        self._finetune(training)
        return part_logits(part, tensors(self._before_last))

    def whole(
        self, rows: Ints, seed: int, *, passes: float = 1.0, resolution: int = 0, backbone: str = "",
        labels: Ints | None = None, pixels: Pixels | None = None,
    ) -> Floats32:  # fmt: skip
        """Train as the recipe does, from the pretrained weights, on these rows only.

        Args:
            rows: positions in the training split, or after it in the unused images.
            seed: of the order.
            passes: over these rows, relative to the recipe's.
            resolution: side of the input; 0 keeps the recipe's.
            backbone: a timm name; empty keeps the model's own.
            labels: of these rows, (r,); None takes their own.
            pixels: of these rows, uint8 (r, h, w, 3); None takes their own images.
        """
        side = resolution or self.recipe.resolution
        inside = pixels is None and int(rows.max()) < len(self.splits.train)
        own = inside and (backbone, side) == ("", self.recipe.resolution)
        images = self._images_of(rows)
        if pixels is not None:
            images = Dataset(pixels, images.labels, images.classes, np.arange(len(rows)), "changed images")
        start = self._start(backbone, side) if own else self._fresh(backbone, side, images)
        classifier = copy.deepcopy(start.classifier)
        training = replace(
            start,
            classifier=classifier,
            trainable=TrainablePart(classifier.trainable_stages, classifier.head),
            views=start.views.select(rows) if own else start.views,
            labels=images.labels if labels is None else labels,
            recipe=self._recipe_for(
                len(rows), passes * self.recipe.epochs, seed, side, fewest_steps=self._fewest_steps
            ),
            mixed=None,
        )
        fit_head(training, seed)
        self._finetune(training)
        return part_logits(training.trainable, tensors(self._examined_maps(backbone, side)))

    def features(self, rows: Ints) -> Floats32:
        """The trained model's pooled features (r, d) of training rows."""
        classifier = self.predictor.classifier
        part = TrainablePart(classifier.trainable_stages, classifier.head)
        return np.concatenate([pooled(part, self._trunk_maps(block)) for block in blocks(rows)])

    def _recipe_for(self, rows: int, epochs: float, seed: int, side: int = 0, *, fewest_steps: int) -> Recipe:
        """The recipe with the steps that these passes amount to; batches become smaller when rows are few."""
        batch = min(self.recipe.batch, max(8, int(epochs * rows / fewest_steps)))
        steps = max(fewest_steps, round(epochs * rows / batch))
        return replace(
            self.recipe, seed=seed, view_seed=self._view_seed, batch=batch, mix="none", views=1,
            epochs=steps / max(rows // batch, 1), resolution=side or self.recipe.resolution,
        )  # fmt: skip

    @property
    def _fewest_steps(self) -> int:
        """Of a training on a part of the rows: with fewer it would show too few steps rather than rows.

        As many as the model's own training took, 4 to 16.
        """
        own = round(self.recipe.epochs * len(self.splits.train) / self.recipe.batch)
        return min(max(FEWEST_STEPS, own), RESTART_STEPS)

    @property
    def _view_seed(self) -> int:
        return self.recipe.seed if self.recipe.view_seed is None else self.recipe.view_seed

    def _finetune(self, training: Training) -> None:
        self.fabric.seed_everything(training.recipe.seed, verbose=False)
        for _ in finetune_phase(training, validated=False):
            pass

    def _halves(self) -> tuple[nn.Sequential, nn.Sequential]:
        """The trained stages before the last reduction of the map, and those from it on."""
        stages = list(self.predictor.classifier.trainable_stages)
        backbone = copy.deepcopy(self.load("").backbone)
        cut = Classifier(backbone, 2, trained_reductions=min(1, self.recipe.trained_reductions)).cut
        place = max(0, cut - self.predictor.classifier.cut)
        return nn.Sequential(*stages[:place]).eval(), nn.Sequential(*stages[place:])

    def _start(self, backbone: str, side: int) -> Training:
        """The untrained network with the cached views of all training rows."""
        key = backbone, side
        if key not in self._starts:
            self._starts[key] = self._prepared(backbone, side, self.splits.train)
        return self._starts[key]

    def _fresh(self, backbone: str, side: int, images: Dataset) -> Training:
        """The untrained network of a backbone and resolution, with views of these images alone."""
        start = self._prepared(backbone, side, images)
        if (backbone, side) != ("", self.recipe.resolution):
            self._starts[backbone, side] = start
        return start

    def _images_of(self, rows: Ints) -> Dataset:
        """The images at these positions of the training split, followed by the unused images."""
        n = len(self.splits.train)
        if self.unused is None or int(rows.max()) < n:
            return self.splits.train.select(rows)
        return joined_with_unused(
            self.splits.train.select(rows[rows < n]), self.unused.select(rows[rows >= n] - n)
        )

    def _prepared(self, backbone: str, side: int, train: Dataset) -> Training:
        pretrained = self.load(backbone)
        recipe = replace(self.recipe, resolution=side, mix="none", view_seed=self._view_seed)
        classifier = Classifier(
            copy.deepcopy(pretrained.backbone), len(self.splits.classes),
            trained_reductions=recipe.trained_reductions,
        ).to(self.fabric.device)  # fmt: skip
        validation = self.splits.validation.select(np.arange(min(HELD, len(self.splits.validation))))
        splits = Splits(train, validation, self.splits.test)
        preprocessing = preprocessing_of(pretrained, recipe)
        return prepare_training(
            classifier, splits, preprocessing, recipe, cache=self.cache, fabric=self.fabric
        )

    @cached_property
    def _shares_frozen(self) -> bool:
        """Whether the untrained network's frozen stages, and so its cached views, equal the model's."""
        start = self._start("", self.recipe.resolution)
        return same_weights(start.classifier.frozen_stages, self.predictor.classifier.frozen_stages)

    def _trunk_maps(self, rows: Ints) -> Tensor:
        """Maps of training rows after the trained model's frozen stages, float32 (b, c, h, w)."""
        if self._shares_frozen:
            return self._start("", self.recipe.resolution).views.batch(0, rows)
        return tensors(self._own_maps(self.splits.train.select(rows), "training images"))[0]

    def _trunk_maps_of(self, pixels: Pixels) -> list[Tensor]:
        """Maps of other images after the trained model's frozen stages, in float32 blocks (b, c, h, w)."""
        n = len(pixels)
        data = Dataset(pixels, np.zeros(n, np.int64), self.splits.classes, np.arange(n), "changed images")
        return tensors(self._own_maps(data, "changed training images"))

    def _own_maps(self, data: Dataset, name: str) -> NDArray[np.float16]:
        """Maps of images after the trained model's frozen stages, (n, h, w, c)."""
        return dataset_maps(self.predictor.classifier.frozen_stages, data, self.predictor.preprocessing, name)

    @cached_property
    def _before_last(self) -> NDArray[np.float16]:
        """Maps of the examined images before the trained model's last stage."""
        if self._shares_frozen:
            maps = self._examined_maps("", self.recipe.resolution)
        else:
            maps = self._own_maps(self.examined, "test")
        return through(self._halves()[0], tensors(maps))

    def _examined_maps(self, backbone: str, side: int) -> NDArray[np.float16]:
        """Maps of the examined images after the frozen stages of a start."""
        key = backbone, side
        if key not in self._seen:
            start = self._start(backbone, side)
            preprocessing = preprocessing_of(self.load(backbone), start.recipe)
            frozen = start.classifier.frozen_stages
            self._seen[key] = dataset_maps(frozen, self.examined, preprocessing, "test")
        return self._seen[key]


def joined_with_unused(first: Dataset, second: Dataset) -> Dataset:
    """Both data sets in one, with positions as ids, since the two may share ids."""
    labels = np.concatenate([first.labels, second.labels])
    images = JoinedImages([first.images, second.images])
    return Dataset(images, labels, first.classes, np.arange(len(labels)), f"{first.source} and unused")


def part_logits(part: TrainablePart, maps: Iterable[Tensor]) -> Floats32:
    """Logits (m, k) of the trained part for blocks of maps (b, c, h, w)."""
    features = np.concatenate([pooled(part, block) for block in maps])
    return np.asarray(head_logits(part.head, features).numpy())


def blocks(rows: Ints) -> list[Ints]:
    """The rows in blocks that fit into one pass of the network."""
    return [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]


def tensors(maps: NDArray[np.float16]) -> list[Tensor]:
    """Stored maps (n, h, w, c) as float32 blocks (b, c, h, w); tokens (n, t, d) keep their order."""
    return [as_input(np.asarray(maps[i : i + BLOCK])) for i in range(0, len(maps), BLOCK)]


def through(stages: nn.Module, batches: Iterable[Tensor]) -> NDArray[np.float16]:
    """The maps of all batches after these stages, stored as (n, h, w, c); tokens as (n, t, d)."""
    found = []
    for x in batches:  # drawn outside inference mode: networks built on the way must stay trainable
        with torch.inference_mode():
            found.append(as_stored(stages(x)))
    return np.concatenate(found)
