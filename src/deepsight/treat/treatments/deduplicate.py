"""Deduplicate: keep one image of each cluster of near-duplicates in the training data."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, positions_of_ids
from deepsight.core.recipe import Recipe
from deepsight.treat.treatments.base import Target, Treatment


def deduplicate_treatment(
    duplicates: pl.DataFrame, labels: Mapping[int, int], *, split: str = "train"
) -> Treatment:
    """Drop near-duplicates from the training data.

    Args:
        duplicates: the frame of the evidence table `duplicates`; only pairs within `split` count.
        labels: label of each training row by its id. The target is the classes of near-duplicates with
            conflicting labels.
        split: the name of the training split in the table.
    """
    pairs = duplicates.filter((pl.col("split_a") == split) & (pl.col("split_b") == split))
    a, b = (pairs[column].to_numpy().astype(np.int64) for column in ("index_a", "index_b"))
    known = [(int(i), int(j)) for i, j in zip(a, b, strict=True) if int(i) in labels and int(j) in labels]
    conflicting = {labels[i] for pair in known if labels[pair[0]] != labels[pair[1]] for i in pair}

    def change(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        return train.select(np.flatnonzero(rows_kept(train, a, b))), recipe

    return Treatment(
        "deduplicate", "conflicting labels of one picture", change, Target(classes=tuple(sorted(conflicting)))
    )


def rows_kept(train: Dataset, a: Ints, b: Ints) -> NDArray[np.bool_]:
    """Which rows stay, bool (n,): of each cluster the first row with the majority label, none on a tie."""
    present = np.isin(a, train.ids) & np.isin(b, train.ids)
    i, j = (positions_of_ids(train.ids, x[present]) for x in (a, b))
    n = len(train)
    _, cluster = connected_components(coo_array((np.ones(len(i)), (i, j)), shape=(n, n)), directed=False)
    stays = np.ones(n, dtype=bool)
    for c in np.flatnonzero(np.bincount(cluster) > 1):
        rows = np.flatnonzero(cluster == c)
        stays[rows] = False
        counts = np.bincount(train.labels[rows])
        if (counts == counts.max()).sum() == 1:
            stays[rows[train.labels[rows] == counts.argmax()][0]] = True
    return stays
