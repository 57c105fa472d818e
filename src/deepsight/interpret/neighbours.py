"""The nearest neighbours of every image in feature space, exactly, in blocks."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from deepsight.core.statistics import Floats, Labels

Features = NDArray[np.floating]


class Neighbours(NamedTuple):
    """The c nearest rows of each of n rows, nearest first.

    Attributes:
        rows: int64 (n, c), row numbers; never the row itself.
        cosine: float32 (n, c), cosine similarity of the compacted features, in [-1, 1].
    """

    rows: NDArray[np.int64]
    cosine: NDArray[np.float32]


def nearest(
    features: Features,
    *,
    count: int = 20,
    dimensions: int = 128,
    references: int = 65_536,
    block: int = 1024,
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
        seed: of the sample.
    """
    unit = torch.from_numpy(compact(features, dimensions))
    n = len(unit)
    chosen = np.arange(n)
    if n > references:
        chosen = np.sort(np.random.default_rng(seed).choice(n, references, replace=False))
    count = min(count, len(chosen) - 1)
    place = np.full(n, -1)  # of each row among the references
    place[chosen] = np.arange(len(chosen))
    rows, cosine = np.empty((n, count), dtype=np.int64), np.empty((n, count), dtype=np.float32)
    against = unit[torch.from_numpy(chosen)].T.contiguous()
    for start in range(0, n, block):
        similar = unit[start : start + block] @ against
        own = place[start : start + block]
        inside = np.flatnonzero(own >= 0)
        similar[inside, own[inside]] = -2  # below every cosine
        value, at = similar.topk(count, dim=1)
        rows[start : start + block], cosine[start : start + block] = chosen[at.numpy()], value.numpy()
    return Neighbours(rows, cosine)


def compact(features: Features, dimensions: int) -> NDArray[np.float32]:
    """Centred features on their first principal axes, each row of length 1: float32 (n, dimensions)."""
    centre = np.mean(features, axis=0, dtype=np.float64).astype(np.float32)
    axes = principal_axes(features, centre, min(dimensions, features.shape[1]))
    compacted = np.empty((len(features), axes.shape[1]), dtype=np.float32)
    for start in range(0, len(features), 8192):
        block = np.asarray(features[start : start + 8192], dtype=np.float32) - centre
        compacted[start : start + 8192] = block @ axes
    length = np.linalg.norm(compacted, axis=1, keepdims=True)
    return compacted / np.maximum(length, np.finfo(np.float32).tiny)


def principal_axes(
    features: Features, centre: NDArray[np.float32], dimensions: int, *, sample: int = 20_000
) -> NDArray[np.float32]:
    """The axes of largest variance (d, dimensions), from at most `sample` evenly spaced rows."""
    step = max(1, len(features) // sample)
    rows = np.asarray(features[::step], dtype=np.float32) - centre
    _, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    return axes[:, ::-1][:, :dimensions].astype(np.float32)


def vote(neighbours: Neighbours, labels: Labels, k: int, *, prior_votes: float = 1.0) -> Floats:
    """The share of each class among the neighbours of a row, weighted by similarity: float64 (n, k).

    Negative similarities do not vote. The class shares of the whole data count as `prior_votes` neighbours,
    so that no class has probability 0.
    """
    weight = np.maximum(neighbours.cosine, 0).astype(np.float64)
    n, c = weight.shape
    cell = np.repeat(np.arange(n), c) * k + labels[neighbours.rows].ravel()
    votes = np.bincount(cell, weight.ravel(), minlength=n * k).reshape(n, k)
    votes += prior_votes * np.bincount(labels, minlength=k) / len(labels)
    return votes / votes.sum(axis=1, keepdims=True)
