"""Both phases of a training, from a pretrained backbone to a predictor."""

import copy
import itertools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import torch
from lightning_fabric import Fabric

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.errors import UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import HEAD_NAMES, Classifier
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.hardware.accelerator import trusted_accelerator
from deepsight.model.predict import Predictor
from deepsight.model.preprocess import Preprocessing
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.finetune import finetune_phase
from deepsight.model.training.linear_probe import FrozenFeatures, linear_probe_phase
from deepsight.model.training.training_state import Epoch, Training, history_frame, prepare_training, validate

GENERIC_BASE_RATIO = 0.1


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came about.

    Attributes:
        predictor: the model, its batch norms fused.
        history: one row per epoch, as in history.parquet.
        head_strength: the ridge penalty of the frozen phase, as a share of the features' variance.
        frozen: features of training images from before fine-tuning, for finding label errors.
        validation: predictions of the validation images, computed from their cached float16 maps.
        kept: the phase whose model this is: "finetune", or "frozen" where fine-tuning ended with a clearly
            lower macro-F1 on validation than it started with.
    """

    predictor: Predictor
    history: pl.DataFrame
    head_strength: float
    frozen: FrozenFeatures
    validation: Predictions
    kept: str


def fit_model(
    pretrained: Pretrained, splits: Splits, recipe: Recipe, *,
    cache: FeatureCache, fabric: Fabric, log: Callable[[Epoch], None] = lambda _: None,
) -> Fitted:  # fmt: skip
    """Train by the recipe; fine-tuning that ends clearly worse on validation than it started is undone.

    Args:
        pretrained: the backbone with its weights; it is changed in place.
        splits: train and validation are used, test is not touched.
        recipe: everything that defines the training.
        cache: where the maps of the frozen stages are kept.
        fabric: precision, device and processes.
        log: receives each row of the history after its pass.

    Raises:
        UsageError: the recipe's class weights or confused classes do not fit the classes.
        DeepSightError: the loss is not finite, a batch is invalid, or the cache has no room.
    """
    require_classes(recipe, len(splits.classes))
    fabric.seed_everything(recipe.seed, verbose=False)
    preprocessing = preprocessing_of(pretrained, recipe)
    classifier = Classifier(
        pretrained.backbone, len(splits.classes), trained_reductions=recipe.trained_reductions
    ).to(fabric.device)
    training = prepare_training(classifier, splits, preprocessing, recipe, cache=cache, fabric=fabric)
    frozen = linear_probe_phase(training)
    before = copy.deepcopy(training.trainable.state_dict())
    epochs = []
    for epoch in itertools.chain([frozen.epoch], finetune_phase(training)):
        epochs.append(epoch)
        log(epoch)
    kept = "finetune"
    if clearly_below(epochs[-1].val_macro_f1, frozen.epoch.val_macro_f1, len(splits.validation)):
        training.trainable.load_state_dict(before)
        validate(training)
        kept = "frozen"
    classifier.fuse_all()
    predictor = Predictor(classifier, preprocessing)
    validation = validation_predictions(splits.validation, predictor, training)
    return Fitted(predictor, history_frame(epochs), frozen.probe.strength, frozen.features, validation, kept)


def validation_predictions(data: Dataset, predictor: Predictor, training: Training) -> Predictions:
    """The predictions of the latest validation, made by the model in its final state."""
    features = training.val_features
    assert features is not None
    return Predictions(data.ids, data.labels, predictor.logits_of(features), features)


def clearly_below(score: float, before: float, n: int) -> bool:
    """Whether a score on n images is lower by more than two standard errors of a proportion."""
    return score < before - 2 * math.sqrt(before * (1 - before) / n)


def require_classes(recipe: Recipe, k: int) -> None:
    """Refuse class weights of another number and pairs of classes that do not exist."""
    outside = sorted({c for pair in recipe.confused for c in pair if not 0 <= c < k})
    if len(recipe.class_weights) not in {0, k} or outside:
        raise UsageError(
            f"Expected a weight for each of {k} classes and pairs of classes 0 to {k - 1}, "
            f"received {len(recipe.class_weights)} weights and the unknown classes {outside}."
        )


def base_recipe(pretrained: Pretrained, seed: int) -> Recipe:
    """The recipe that plans start from.

    The blocks of the four known families learn at a rate that was measured (benchmarks/recipes), those of
    other families at a tenth of the head's rate, as is usual for transformers.
    """
    known = isinstance(pretrained.backbone, tuple(HEAD_NAMES))
    return Recipe(seed=seed) if known else Recipe(seed=seed, base_ratio=GENERIC_BASE_RATIO)


def preprocessing_of(pretrained: Pretrained, recipe: Recipe) -> Preprocessing:
    """The recipe's resolution with the normalisation that the weights expect."""
    return Preprocessing(
        recipe.resolution, recipe.interpolation, recipe.antialias, pretrained.mean, pretrained.std
    )


def fabric_of() -> Fabric:
    """A launched Fabric: one process on the best trusted device, or the processes of torchrun."""
    workers = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", workers))
    fabric = Fabric(
        accelerator=trusted_accelerator() if torch.cuda.is_available() or workers == 1 else "cpu",
        devices=local,
        num_nodes=workers // local,
        strategy="auto" if workers == 1 else "ddp",
    )
    fabric.launch()
    return fabric
