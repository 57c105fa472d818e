"""Pairs of images that may be twins: nearest neighbours by matrix products, in blocks of bounded size."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.scrub.descriptor import Descriptor, blocks

Rows = NDArray[np.int64]
ReadFeatures = Callable[[Rows], NDArray[np.floating]]  # rows -> features (r, d)

ROWS, COLUMNS = 256, 4096  # of the block of similarities: 4 MB, which stay in the cache
FIT_ON = 5000  # rows that the projection of features is fitted on, and rows projected at a time
FEATURE_LENGTH = 64  # numbers kept of them


def neighbours(described: Descriptor, *, count: int, at_least: float) -> tuple[Rows, Rows]:
    """Pairs i < j in which one is among the `count` nearest of the other, mirrored or not.

    Exact search: n²(p + q) multiplications, n × count numbers kept. Pairs below the similarity
    `at_least` are left out.
    """
    n = len(described)
    found = []
    for start in range(0, n, ROWS):
        rows = torch.arange(start, min(start + ROWS, n))
        similarity, nearest = nearest_to(described, rows, count=min(count, n - 1))
        keep = similarity >= at_least
        found.append(torch.stack([rows[:, None].expand_as(nearest)[keep], nearest[keep]]))
    return distinct(torch.cat(found, dim=1).numpy())


def nearest_to(described: Descriptor, rows: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
    """Similarity and row of the nearest of all images to these, themselves excepted, (r, count) twice."""
    even, odd = described.even, described.odd
    best, place = torch.full((len(rows), count), -torch.inf), torch.zeros(len(rows), count, dtype=torch.int64)
    block = torch.empty(len(rows), COLUMNS)  # made once: fresh memory costs more than the products in it
    for start in range(0, len(described), COLUMNS):
        stop = min(start + COLUMNS, len(described))
        similarity = torch.mm(odd[rows], odd[start:stop].T, out=block[:, : stop - start]).abs_()
        similarity.addmm_(even[rows], even[start:stop].T)
        own = (rows >= start) & (rows < stop)
        similarity[own.nonzero()[:, 0], rows[own] - start] = -torch.inf
        value, column = similarity.topk(min(count, stop - start), dim=1)
        best, order = torch.cat([best, value], dim=1).topk(count, dim=1)
        place = torch.cat([place, column + start], dim=1).gather(1, order)
    return best, place


def distinct(pairs: Rows) -> tuple[Rows, Rows]:
    """Pairs (2, p) as i < j, each once, in order."""
    ordered = np.unique(np.sort(pairs, axis=0), axis=1)
    return ordered[0], ordered[1]


def describe_features(read: ReadFeatures, n: int, *, seed: int) -> Descriptor:
    """Pooled features as unit vectors on their `FEATURE_LENGTH` largest principal axes, in blocks.

    They have no odd part: whether a pair is mirrored is told by the pixels.
    """
    sample = as_floats(read(np.sort(np.random.default_rng(seed).permutation(n)[:FIT_ON])))
    centre = sample.mean(dim=0)
    axes = torch.linalg.eigh((sample - centre).T @ (sample - centre))[1][:, -FEATURE_LENGTH:]
    parts = [(as_floats(read(rows)) - centre) @ axes for rows in blocks(n, FIT_ON)]
    even = torch.nn.functional.normalize(torch.cat(parts), eps=1e-6)
    return Descriptor(even, torch.zeros(len(even), 1))


def as_floats(rows: NDArray[np.floating]) -> Tensor:
    """A float32 copy, so that rows of a read-only memory map are taken too."""
    return torch.from_numpy(np.array(rows, dtype=np.float32))
