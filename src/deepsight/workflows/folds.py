"""Cross-validation of a study: one model per fold predicts the images that it has not seen.

The first fold is the test part of an ordinary study, and its model is the one that the run keeps. The models
of the other folds, which divide the rest, are used for their predictions only.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from deepsight.config import StudyConfig
from deepsight.core.array_types import Floats32, Ints
from deepsight.core.dataset import Dataset, Splits, join_datasets, positions_of_ids
from deepsight.core.errors import UsageError
from deepsight.core.folds import held_out_folds
from deepsight.core.predictions import Predictions
from deepsight.core.progress import EpochEnded, Log
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.fit import Fitted, fit_model
from deepsight.model.training.training_state import Epoch
from deepsight.obtain import Obtained
from deepsight.obtain.cache import cache_folder
from deepsight.scrub.split import limit_train, validation_rows
from deepsight.workflows.study_context import Context

USUAL_FOLDS = 5
SMALL = 300  # images; below that a single split leaves too few test images


def planned_folds(study: StudyConfig, got: Obtained) -> int:
    """The number of folds: as asked, or five if there are few images and no test part.

    Raises:
        UsageError: folds were asked for, but the data comes with a test part of its own.
    """
    held_out = got.record.get("held_out_test") is not None
    if study.folds is not None and study.folds > 1 and not held_out:
        raise UsageError(
            f"Expected no --folds for {got.record['data']}, which has a test part of its own, received "
            f"{study.folds}. Its test images are examined; for folds, give all images in one part."
        )
    if study.folds is not None:
        return study.folds
    few = held_out and len(got.train) + len(got.test) < SMALL
    return USUAL_FOLDS if few and enough_for_folds(got.train, USUAL_FOLDS) else 1


def enough_for_folds(train: Dataset, folds: int) -> bool:
    """Whether the training images, or their groups, are at least two for each of the other folds."""
    groups = len(train) if train.groups is None else len(np.unique(train.groups))
    return groups >= 2 * (folds - 1)


def everything(got: Obtained) -> Dataset:
    """All images that folds are made of, in the order of their ids."""
    return join_datasets([got.train, got.test], got.train.source)


def images_of_predictions(context: Context) -> Dataset:
    """The images that the stored test predictions are of.

    The test part of a study, or all its images if it was made in folds; the examined part of an examination,
    of which a sample may have been predicted.
    """
    if context.study.plan is None:
        return context.obtained.split(context.run.examined_split)
    return everything(context.obtained) if context.plan.folds > 1 else context.splits.test


def fold_of_images(got: Obtained, folds: int, seed: int) -> Ints:
    """The fold of each image of `everything`, from 0: the held-out test part is the first."""
    whole = everything(got)
    rest = np.flatnonzero(~np.isin(whole.ids, got.test.ids))
    groups = None if whole.groups is None else whole.groups[rest]
    fold = np.zeros(len(whole), dtype=np.int64)
    fold[rest] = 1 + held_out_folds(whole.labels[rest], folds - 1, groups=groups, seed=seed)
    return fold


def other_splits(context: Context) -> Iterator[Splits]:
    """The splits of the folds after the first; near-duplicates of a fold's images are not trained on."""
    got, study, plan = context.obtained, context.study, context.plan
    whole, fold = everything(got), fold_of_images(got, plan.folds, study.seed)
    pairs = context.run.evidence()["duplicates"].frame.filter("flagged")
    for number in range(1, plan.folds):
        test = whole.select(np.flatnonzero(fold == number))
        copies = copies_of(test.ids, pairs, official_validation=got.validation is not None)
        rest = whole.select(np.flatnonzero((fold != number) & ~np.isin(whole.ids, copies)))
        validation = got.validation
        if validation is None:
            kept, held = validation_rows(rest, study.validation_share, study.seed)
            rest, validation = rest.select(kept), rest.select(held)
        yield Splits(limit_train(rest, limit=plan.train_rows, seed=study.seed), validation, test)


def copies_of(ids: Ints, pairs: pl.DataFrame, *, official_validation: bool) -> Ints:
    """The ids of the images that are near-duplicates of these, or of an official validation image.

    Args:
        ids: of the images that a fold holds out.
        pairs: flagged pairs of the table `duplicates`.
        official_validation: whether validation is a separate part, with ids of its own.
    """
    found = []
    for own, other in (("a", "b"), ("b", "a")):
        held = pl.col(f"index_{own}").is_in(ids.tolist())
        if official_validation:
            held = (held & (pl.col(f"split_{own}") != "val")) | (pl.col(f"split_{own}") == "val")
            held = held & (pl.col(f"split_{other}") != "val")
        found.append(pairs.filter(held)[f"index_{other}"].to_numpy())
    return np.concatenate(found).astype(np.int64)


def out_of_fold(context: Context, start: Pretrained) -> tuple[list[Predictions], list[Floats32]]:
    """Train the models of the folds after the first.

    Args:
        context: of a study whose first model is trained.
        start: the pretrained backbone, unchanged.

    Returns:
        The predictions of each for its own fold, and the features (n, d) of that fold before training.
    """
    said, features = [], []
    for number, splits in enumerate(other_splits(context), start=2):
        context.log(f"Fold {number} of {context.plan.folds}.")
        fresh = copied_backbone(start)
        untouched = FrozenBackbone(fresh)
        fitted = fit_model(
            fresh, splits, context.plan.recipe,
            cache=FeatureCache(cache_folder() / "trunk", log=context.log), fabric=context.fabric,
            log=partial(log_epoch, context.log),
        )  # fmt: skip
        log_kept(context.log, fitted)
        predictions, before = untouched.beside(fitted.predictor, splits.test, name="test")
        said.append(predictions)
        features.append(before)
    return said, features


def copied_backbone(pretrained: Pretrained) -> Pretrained:
    """The same weights in a separate network, since training changes a network in place."""
    return replace(pretrained, backbone=copy.deepcopy(pretrained.backbone))


def log_epoch(log: Log, epoch: Epoch) -> None:
    """Log an epoch of the history as an event."""
    log(EpochEnded(epoch.phase, epoch.epoch, epoch.train_loss, epoch.val_macro_f1, epoch.seconds))


def log_kept(log: Log, fitted: Fitted) -> None:
    """Log that fine-tuning was undone, if it was."""
    if fitted.kept == "frozen":
        log("Fine-tuning ended worse on validation than it began: the frozen phase's model is kept.")


def joined_predictions(said: list[Predictions], features: list[Floats32]) -> Predictions:
    """The predictions of all folds, with these features (n, d) of one network, in the order of the ids."""
    ids = np.concatenate([p.ids for p in said])
    order = positions_of_ids(ids, np.sort(ids))
    return Predictions(
        ids[order], np.concatenate([p.labels for p in said])[order],
        np.concatenate([p.logits for p in said])[order], np.concatenate(features)[order],
    )  # fmt: skip
