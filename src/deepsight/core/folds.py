"""Stratified folds of a data set: each row is held out once, whole groups together."""

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError


def held_out_folds(labels: Ints, folds: int, *, groups: Ints | None = None, seed: int) -> Ints:
    """The fold of each row, int64 (n,), from 0: each class is spread as evenly as may be, no group is in two.

    Unlike scikit-learn's `StratifiedKFold`, this accepts classes with fewer images than folds.

    Args:
        labels: int64 (n,).
        folds: number of folds, at least 1.
        groups: int64 (n,), which rows stay together; None makes each row its own group.
        seed: random seed of the assignment.

    Raises:
        DeepSightError: no folds are asked for, or more than there are rows or groups.
    """
    count, what = (len(labels), "images") if groups is None else (len(np.unique(groups)), "groups")
    if not 1 <= folds <= count:
        raise DeepSightError(f"Expected 1 to {count} folds of {count} {what}, received {folds}.")
    return single_folds(labels, folds, seed) if groups is None else grouped_folds(labels, folds, groups, seed)


def single_folds(labels: Ints, folds: int, seed: int) -> Ints:
    """The fold of each row: the counts of a class, and those of all rows, differ by one at most."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % folds
    return fold


def grouped_folds(labels: Ints, folds: int, groups: Ints, seed: int) -> Ints:
    """The fold of each row, whole groups together.

    Groups are assigned one by one, those with the rarest class first, then the largest. Each goes to the fold
    with the fewest images of its classes, then the fewest images overall; the seed orders ties.
    """
    n, k = len(labels), int(labels.max(initial=0)) + 1
    group = np.unique(groups, return_inverse=True)[1]
    count = int(group.max(initial=-1)) + 1
    totals, sizes = np.bincount(labels, minlength=k), np.bincount(group, minlength=count)
    rarest = np.full(count, n + 1)
    np.minimum.at(rarest, group, totals[labels])
    order = np.lexsort((np.random.default_rng(seed).random(count), -sizes, rarest))
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])
    share = 1 / np.maximum(totals, 1)
    held, place = np.zeros((folds, k)), np.empty(count, dtype=np.int64)
    for one in order:
        own = np.bincount(labels[members[one]], minlength=k)
        crowded = (held * share * (own > 0)).sum(axis=1)
        place[one] = np.lexsort((held.sum(axis=1), np.round(crowded, 9)))[0]
        held[place[one]] += own
    return np.asarray(place[group], dtype=np.int64)
