"""Intervals for grouped images, such as those of one patient, video or camera.

Images of a group resemble each other, so a thousand images of ten patients tell less than one image each of a
thousand patients. Sources and formulas: docs/methods/statistics.md.
"""

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import t

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.statistics.intervals import Interval, macro_f1, macro_weights, wilson
from deepsight.core.statistics.macro_f1 import macro_f1_interval

BLOCK = 200  # resamples at a time, to bound the memory


def cluster_bootstrap_macro_f1(
    labels: Ints, predicted: Ints, k: int, groups: Ints, *, draws: int = 2000, level: float = 0.95, seed: int
) -> Interval:
    """Macro-F1 with the percentile interval of a cluster bootstrap: whole groups are resampled.

    Args:
        labels, predicted: int64 (n,), positions of k classes.
        k: number of classes.
        groups: int64 (n,), the group of each image.
        draws: number of resamples.
        level: coverage of the interval.
        seed: random seed of the resamples.
    """
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    hits, support = (np.zeros((count, k), dtype=np.int64) for _ in range(2))
    right = labels == predicted
    np.add.at(hits, (group[right], labels[right]), 1)
    np.add.at(support, (group, labels), 1)
    np.add.at(support, (group, predicted), 1)
    rng = np.random.default_rng(seed)
    sample, weights = [], macro_weights(labels, k)
    for start in range(0, draws, BLOCK):
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(BLOCK, draws - start))
        counted = times @ support
        f1 = np.divide(2.0 * (times @ hits), counted, out=np.zeros(counted.shape), where=counted > 0)
        sample.append(f1 @ weights)
    low, high = np.quantile(np.concatenate(sample), [(1 - level) / 2, (1 + level) / 2])
    return Interval(macro_f1(labels, predicted, k), float(low), float(high))


def macro_f1_over(labels: Ints, predicted: Ints, k: int, groups: Ints | None, *, seed: int) -> Interval:
    """Macro-F1 with its 95 % interval over images, or over groups where they are known.

    Args:
        labels, predicted: int64 (n,), positions of k classes.
        groups: int64 (n,), the group of each image, or None.
        seed: of the resamples of groups.
    """
    if groups is None:
        return macro_f1_interval(labels, predicted, k)
    return cluster_bootstrap_macro_f1(labels, predicted, k, groups, seed=seed)


def accuracy_over(right: Bools, groups: Ints | None) -> Interval:
    """Accuracy with Wilson's 95 % interval over images, or over groups by their effective n.

    Args:
        right: bool (n,), whether each image is classified correctly; no images give 0 with [0, 1].
        groups: int64 (n,), the group of each image, or None.
    """
    accuracy = float(right.mean()) if len(right) else 0.0
    n = float(len(right)) if groups is None else effective_n(right, groups)
    low, high = wilson(accuracy * n, n)
    return Interval(accuracy, float(low), float(high))


def effective_n(values: Bools | Reals, groups: Ints) -> float:
    """The number of independent images that would estimate the mean as precisely, at most n.

    It is n over the design effect, the variance of the mean over groups divided by that of n independent
    images (Kish 1965). Where all values are equal, it is the number of groups.

    Args:
        values: (n,), such as whether each image is classified correctly.
        groups: int64 (n,), the group of each image.
    """
    n = len(values)
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1 if n else 0
    mean = float(values.mean()) if n else 0.0
    alone = float(((values - mean) ** 2).mean()) / n if n else 0.0
    if count < 2 or alone == 0:
        return float(count)
    residual = np.bincount(group, weights=values - mean, minlength=count)
    between = count / (count - 1) * float(residual @ residual) / n**2
    return float(min(n, n * alone / between)) if between > 0 else float(n)


def effective_sizes(labels: Ints, predicted: Ints, k: int, groups: Ints) -> Floats:
    """The effective number of images behind the rate of each cell of the confusion matrix, (k, k).

    A cell is `effective_n` of the images of its true class, with "predicted as this class" in place of
    "correct"; the diagonal belongs to the recalls. It is 0 for a class without images.
    """
    sizes = np.zeros((k, k))
    for c in np.unique(labels):
        own = np.flatnonzero(labels == c)
        sizes[c] = effective_sizes_of_class(predicted[own], k, groups[own])
    return sizes


def worth_of_cells(labels: Ints, predicted: Ints, k: int, groups: Ints | None) -> Floats:
    """The effective share of a class's images in each cell of the confusion matrix, (k, k), in (0, 1].

    It is 1 where no groups are known.
    """
    if groups is None:
        return np.ones((k, k))
    n = np.maximum(np.bincount(labels, minlength=k), 1)[:, None]
    sizes = effective_sizes(labels, predicted, k, groups)
    return np.where(sizes > 0, sizes / n, 1.0)


def effective_sizes_of_class(predicted: Ints, k: int, groups: Ints) -> Floats:
    """The row of `effective_sizes` of one class, from the images of that class: (k,)."""
    n = len(predicted)
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    table = np.bincount(group * k + predicted, minlength=count * k).reshape(count, k)
    share = table.sum(axis=0) / n
    residual = table - np.bincount(group)[:, None] * share
    between = count / max(count - 1, 1) * (residual**2).sum(axis=0) / n**2
    alone = share * (1 - share) / n
    known = (between > 0) & (alone > 0)
    found = np.divide(n * alone, between, out=np.full(k, float(count)), where=known)
    found[(between == 0) & (alone > 0) & (count > 1)] = n
    return np.asarray(np.minimum(found, n), dtype=np.float64)


def group_sums(values: Reals, groups: Ints) -> Floats:
    """The sum of the values (n,) in each group, (g,)."""
    _, group = np.unique(groups, return_inverse=True)
    return np.asarray(np.bincount(group, weights=values), dtype=np.float64)


def group_variance(values: Reals, groups: Ints) -> tuple[float, float]:
    """Cluster-robust variance of the sum of values (n,) under a mean of 0, and its degrees of freedom.

    The sandwich estimate with the correction for few groups, g / (g - 1) (Cameron and Miller 2015). A single
    group has no variance of its own; its square is used instead.
    """
    sums = group_sums(values, groups)
    g = len(sums)
    return float((sums**2).sum()) * g / max(g - 1, 1), float(max(g - 1, 1))


def excess_over_groups_p(values: Reals, groups: Ints) -> float:
    """One-sided p of so large a sum of values (n,) whose mean is 0, by Student's t over groups."""
    total, (variance, freedom) = float(np.sum(values)), group_variance(values, groups)
    return float(t.sf(total / np.sqrt(variance), freedom)) if variance > 0 else 1.0


def difference_over_groups_p(values: Ints, residual: Reals, groups: Ints) -> float:
    """p that the mean residual of every kind of image is 0: a cluster-robust Wald test.

    It uses Hotelling's F instead of chi-squared, since groups are few. p is 1 for no more groups than kinds.

    Args:
        values: int64 (n,), the kind of each image.
        residual: (n,), error minus its expectation.
        groups: int64 (n,), the group of each image.
    """
    _, group = np.unique(groups, return_inverse=True)
    g, kinds = int(group.max()) + 1, int(values.max()) + 1
    sums = np.bincount(group * kinds + values, weights=residual, minlength=g * kinds).reshape(g, kinds)
    total, spread = sums.sum(axis=0), sums.T @ sums * g / max(g - 1, 1)
    rank = int(np.linalg.matrix_rank(spread))
    if rank == 0 or g <= rank:
        return 1.0
    wald = float(total @ np.linalg.pinv(spread) @ total)
    return float(f_distribution.sf(wald * (g - rank) / (rank * (g - 1)), rank, g - rank))
