"""Pairs of images that may be near-duplicates: nearest neighbours, in blocks of bounded size."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.array_types import Ints
from deepsight.core.statistics.principal_axes import principal_axes
from deepsight.scrub.duplicates import ann_index
from deepsight.scrub.duplicates.descriptor import Descriptor, row_blocks

ReadFeatures = Callable[[Ints], NDArray[np.floating]]  # rows -> features (r, d)

EXACT = 150_000  # images; for more an index is used if its library is installed
TILE = 1024  # rows and columns of a block of similarities: 4 MB, which fit into the cache
FIT_ON = 5000  # rows that the projection of features is fitted on, and rows projected at a time
FEATURE_LENGTH = 64  # dimensions kept of the features


def neighbour_pairs(described: Descriptor, *, count: int, at_least: float, seed: int) -> tuple[Ints, Ints]:
    """Pairs i < j in which one is among the `count` nearest of the other, mirrored or not.

    Up to `EXACT` images the search is exact: n²(p + q) / 2 multiplications, n × count numbers in memory. For
    more images an index finds nearly the same pairs in time O(n^1.5); without its library the search stays
    exact.

    Args:
        described: of n images.
        count: number of neighbours.
        at_least: similarity in [-1, 1] below which pairs are left out.
        seed: of the index.
    """
    n = len(described)
    if n < 2:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    count = min(count, n - 1)
    found = []
    for rows, similarity, near in nearest_rows(described, count=count, at_least=at_least, seed=seed):
        keep = similarity >= at_least
        found.append(torch.stack([torch.from_numpy(rows)[:, None].expand_as(near)[keep], near[keep]]))
    return distinct_pairs(torch.cat(found, dim=1).numpy())


def nearest_rows(
    described: Descriptor, *, count: int, at_least: float, seed: int
) -> Iterator[tuple[Ints, Tensor, Tensor]]:
    """Blocks of rows with similarities and rows of their nearest neighbours, (r, count) each."""
    n = len(described)
    if indexed(n):
        index = ann_index.Index(described, seed=seed)
        for rows in row_blocks(n, ann_index.BLOCK):
            yield rows, *index.nearest_to(rows, count=count)
    else:
        yield np.arange(n), *nearest_of_all(described, count=count, at_least=at_least)


def indexed(n: int) -> bool:
    """Whether neighbours among n images come from an index instead of an exact search."""
    return n > EXACT and ann_index.available()


def comparisons(n: int) -> float:
    """The cost of the search among n images, in comparisons: n², or proportional to n^1.5 with an index."""
    return EXACT**0.5 * n**1.5 if indexed(n) else float(n) ** 2


def nearest_of_all(described: Descriptor, *, count: int, at_least: float) -> tuple[Tensor, Tensor]:
    """Similarities and rows of the images nearest to each, (n, count) each; an image is not its own.

    Where fewer than `count` images are as similar as `at_least`, the similarity is below it. Each two images
    are compared once, for both of them.
    """
    even, odd, n = described.even, described.odd, len(described)
    least = torch.nextafter(torch.tensor(at_least), torch.tensor(-torch.inf))
    best, place = least.repeat(n, count), torch.zeros(n, count, dtype=torch.int64)
    block = torch.empty(TILE, TILE)  # allocated once: new memory costs more than the products
    for start in range(0, n, TILE):
        rows = slice(start, min(start + TILE, n))
        for left in range(start, n, TILE):
            columns = slice(left, min(left + TILE, n))
            out = block[: rows.stop - start, : columns.stop - left]
            similarity = torch.mm(odd[rows], odd[columns].T, out=out).abs_()
            similarity.addmm_(even[rows], even[columns].T)
            if left == start:
                similarity.fill_diagonal_(-torch.inf)
            else:
                keep_nearest(best[columns], place[columns], similarity.T, start)
            keep_nearest(best[rows], place[rows], similarity, left)
    return best, place


def keep_nearest(best: Tensor, place: Tensor, similarity: Tensor, first: int) -> None:
    """Take nearer neighbours into `best` and `place`, (r, count) each, in place.

    Args:
        best: similarities of the nearest so far, largest first.
        place: their rows.
        similarity: to further images (r, c).
        first: the row of the first of these.
    """
    # Few rows have a nearer neighbour in this block, and a maximum is much cheaper than the largest few.
    nearer = (similarity.amax(dim=1) > best[:, -1]).nonzero()[:, 0]
    value, column = similarity[nearer].topk(min(best.shape[1], similarity.shape[1]), dim=1)
    best[nearer], order = torch.cat([best[nearer], value], dim=1).topk(best.shape[1], dim=1)
    place[nearer] = torch.cat([place[nearer], column + first], dim=1).gather(1, order)


def distinct_pairs(pairs: Ints) -> tuple[Ints, Ints]:
    """Pairs (2, p) as i < j, each once, in order."""
    low, high = np.sort(pairs, axis=0)
    n = high.max(initial=0) + 1
    codes = np.unique(low * n + high)
    return codes // n, codes % n


def describe_features(read: ReadFeatures, n: int, *, seed: int) -> Descriptor:
    """Pooled features as unit vectors on their `FEATURE_LENGTH` largest principal axes, in blocks.

    They have no odd part: the pixels decide whether a pair is mirrored.
    """
    sample = as_floats(read(np.sort(np.random.default_rng(seed).permutation(n)[:FIT_ON])))
    centre = sample.mean(dim=0)
    axes = torch.from_numpy(principal_axes(sample.numpy(), centre.numpy(), FEATURE_LENGTH))
    even = torch.empty(n, axes.shape[1])
    for rows in row_blocks(n, FIT_ON):
        even[rows] = torch.nn.functional.normalize((as_floats(read(rows)) - centre) @ axes, eps=1e-6)
    return Descriptor(even, torch.zeros(len(even), 1))


def as_floats(rows: NDArray[np.floating]) -> Tensor:
    """A float32 copy, which also works for rows of a read-only memory map."""
    return torch.from_numpy(np.array(rows, dtype=np.float32))
