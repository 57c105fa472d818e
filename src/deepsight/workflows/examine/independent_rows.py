"""Training images that are independent of the judged images: no near-duplicates, and no shared group."""

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.folds import held_out_folds
from deepsight.scrub.duplicates.find import find_duplicates


class TooFewIndependent(DeepSightError):
    """Too few training images are neither near-duplicates of the judged images nor of their group."""


def independent_rows(train: Dataset, judged: Dataset, *, seed: int) -> Ints:
    """The rows of `train`, ascending, that are neither near-duplicates of a judged image nor of its group.

    Args:
        train: images to train a model on.
        judged: images of the same shape whose labels the model judges.
        seed: of the search.
    """
    pairs = find_duplicates({"train": train, "judged": judged}, seed=seed).frame.filter("flagged")
    copies = pairs.filter(pl.col("split_b") == "train", pl.col("split_a") == "judged")["index_b"]
    shared = np.isin(train.ids, copies.to_numpy())
    if train.groups is not None and judged.groups is not None:
        shared |= np.isin(train.groups, judged.groups)
    return np.flatnonzero(~shared)


def independent_halves(train: Dataset, seed: int) -> Ints:
    """The half of each image, int64 (n,), 0 or 1: each class in both as evenly as may be, no group in both.

    Raises:
        TooFewIndependent: a half would lack a class, as where all images of a class are in one group.
    """
    try:
        half = held_out_folds(train.labels, 2, groups=train.groups, seed=seed)
    except DeepSightError as error:
        raise TooFewIndependent(f"No two halves of the images are independent. {error}") from error
    if train.groups is None:
        return half
    present = np.unique(train.labels)
    lone = [train.classes[c] for c in present if len(np.unique(half[train.labels == c])) < 2]
    if lone:
        raise TooFewIndependent(
            "Expected two halves of the images with all classes in both and no group in both, but the groups "
            f"put all images of {', '.join(lone[:5])} into one half."
        )
    return half
