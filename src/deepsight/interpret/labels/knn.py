"""The nearest neighbours of every image in feature space, exactly, in blocks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.core.blocks import blocks_of
from deepsight.core.statistics.principal_axes import principal_axes

GROUP = 32  # columns per group; the first pass compares only the maxima of groups
NONE = -2  # stands for the similarity of rows that are no neighbours; below every cosine


class Neighbours(NamedTuple):
    """The c nearest rows of each of n rows, nearest first.

    Attributes:
        rows: int64 (n, c), row numbers; never the row itself.
        cosine: float32 (n, c), cosine similarity of the compacted features, in [-1, 1]; `NONE` where too few
            rows are outside the row's group, so that `rows` names no neighbour there.
    """

    rows: NDArray[np.int64]
    cosine: NDArray[np.float32]


def nearest_neighbours(
    features: Reals,
    *,
    count: int = 20,
    dimensions: int = 128,
    references: int = 65_536,
    block: int = 1024,
    groups: Ints | None = None,
    seed: int,
) -> Neighbours:
    """The `count` rows of largest cosine similarity to each row.

    Features are centred and rotated onto their first principal axes, which keeps the geometry and makes the
    products cheap. Among more rows than `references`, neighbours are sought in a random sample of that many,
    so that time grows with n and not with n², and memory with the block.

    Args:
        features: (n, d).
        dimensions: principal axes kept, at most d.
        references: rows among which neighbours are sought.
        block: rows compared at a time.
        groups: int64 (n,); rows of one group, such as the images of one patient, are not each other's
            neighbours. None makes each row its own group.
        seed: of the sample.
    """
    unit = unit_features(features, dimensions)
    n = len(unit)
    chosen = np.arange(n)
    if n > references:
        chosen = np.sort(np.random.default_rng(seed).choice(n, references, replace=False))
    count = min(count, len(chosen) - 1)
    place = np.full(n, -1)  # of each row among the references
    place[chosen] = np.arange(len(chosen))
    rows, cosine = np.empty((n, count), dtype=np.int64), np.empty((n, count), dtype=np.float32)
    against = np.ascontiguousarray(unit[chosen].T)
    for start in range(0, n, block):
        similar = unit[start : start + block] @ against
        own = place[start : start + block]
        inside = np.flatnonzero(own >= 0)
        similar[inside, own[inside]] = NONE
        if groups is not None:
            similar[groups[start : start + block, None] == groups[chosen]] = NONE
        at = largest_columns(similar, count)
        rows[start : start + block] = chosen[at]
        cosine[start : start + block] = np.take_along_axis(similar, at, axis=1)
    return Neighbours(rows, cosine)


def largest_columns(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The columns of the `count` largest values of each row (m, n), largest first: int64 (m, count).

    Columns are grouped by 32, and only the groups with the largest maxima are searched, since no other can
    hold one of the largest values. This is several times faster than a partition of each row.
    """
    m, n = values.shape
    width = n // GROUP  # the number of groups; column j is in group j modulo width
    if width <= count:
        return np.argsort(-values, axis=1, kind="stable")[:, :count]
    best = values[:, : width * GROUP].reshape(m, GROUP, width).max(axis=1)
    groups = np.argpartition(best, width - count, axis=1)[:, -count:]
    inside = (groups[:, None, :] + width * np.arange(GROUP)[:, None]).reshape(m, -1)
    left_over = np.broadcast_to(np.arange(width * GROUP, n), (m, n - width * GROUP))
    columns = np.concatenate([inside, left_over], axis=1)
    order = np.argsort(-np.take_along_axis(values, columns, axis=1), axis=1, kind="stable")[:, :count]
    return np.take_along_axis(columns, order, axis=1)


def unit_features(features: Reals, dimensions: int) -> NDArray[np.float32]:
    """Centred features on their first principal axes, each row of length 1: float32 (n, dimensions)."""
    centre = np.asarray(np.mean(features, axis=0, dtype=np.float64), dtype=np.float32)
    axes = principal_axes(features, centre, min(dimensions, features.shape[1]))
    compacted = np.empty((len(features), axes.shape[1]), dtype=np.float32)
    for rows in blocks_of(len(features), 8192):
        compacted[rows] = (np.asarray(features[rows], dtype=np.float32) - centre) @ axes
    length = np.linalg.norm(compacted, axis=1, keepdims=True)
    compacted /= np.maximum(length, np.finfo(np.float32).tiny)
    return compacted


def neighbour_vote(neighbours: Neighbours, labels: Ints, k: int, *, prior_votes: float = 5.0) -> Floats:
    """The share of each class among the neighbours of a row, weighted by similarity: float64 (n, k).

    Negative similarities do not vote, and neither does what is no neighbour (`NONE`). The class shares of
    the whole data count as `prior_votes` neighbours, so that no class has probability 0, and one wrong label
    among twenty neighbours weighs little.
    """
    weight = np.maximum(neighbours.cosine, 0).astype(np.float64)
    n, c = weight.shape
    cell = np.repeat(np.arange(n), c) * k + labels[neighbours.rows].ravel()
    prior = prior_votes * np.bincount(labels, minlength=k) / len(labels)
    votes = np.bincount(cell, weight.ravel(), minlength=n * k).reshape(n, k) + prior
    return np.asarray(votes / votes.sum(axis=1, keepdims=True), dtype=np.float64)
