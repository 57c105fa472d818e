"""Stratified folds of a data set: each row is held out once, whole groups together."""

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError


def grouped_folds(labels: Ints, folds: int, *, groups: Ints | None = None, seed: int) -> Ints:
    """The fold of each row, int64 (n,), from 0: each class is spread as evenly as groups allow.

    Groups are dealt out one by one, those of the rarest class first and the largest first, to the fold that
    has the fewest images of their classes, then the fewest images at all. Scikit-learn's `StratifiedKFold`
    refuses classes with fewer images than folds.

    Args:
        labels: int64 (n,).
        folds: how many, at least 1.
        groups: int64 (n,), which rows stay together; each row by itself where it is None.
        seed: of the order among equals.

    Raises:
        DeepSightError: there are fewer groups than folds.
    """
    n, k = len(labels), int(labels.max(initial=0)) + 1
    group = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(group.max(initial=-1)) + 1
    if count < folds:
        what = "images" if groups is None else "groups"
        raise DeepSightError(f"Expected at least {folds} {what} for {folds} folds, received {count}.")
    table = np.bincount(group * k + labels, minlength=count * k).reshape(count, k)
    rarest = np.where(table > 0, table.sum(axis=0), n + 1).min(axis=1)
    order = np.lexsort((np.random.default_rng(seed).random(count), -table.sum(axis=1), rarest))
    share = 1 / np.maximum(table.sum(axis=0), 1)
    held, place = np.zeros((folds, k)), np.empty(count, dtype=np.int64)
    for one in order:
        own = table[one]
        crowded = (held * share * (own > 0)).sum(axis=1)
        place[one] = np.lexsort((held.sum(axis=1), np.round(crowded, 9)))[0]
        held[place[one]] += own
    return np.asarray(place[group], dtype=np.int64)
