"""Intervals for images that come in groups: of one patient, one video, one camera.

Images of a group resemble each other, so a thousand images of ten patients say less than a thousand of a
thousand. Sources and formulas: docs/methods/statistics.md.
"""

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import t

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.statistics.intervals import Interval, macro_f1, macro_weights

BLOCK = 200  # draws at a time, so that many groups need no memory of their own


def cluster_bootstrap_macro_f1(
    labels: Ints, predicted: Ints, k: int, groups: Ints, *, draws: int = 2000, level: float = 0.95, seed: int
) -> Interval:
    """Macro-F1 with the percentile interval over groups: whole groups are resampled with replacement.

    Args:
        labels, predicted: int64 (n,), positions of k classes.
        groups: int64 (n,), the group of each image.
        draws: resamples.
        level: coverage of the interval.
        seed: of the resamples.
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


def effective_n(right: Bools, groups: Ints) -> float:
    """How many independent images would know the accuracy as well as these, at most n.

    That is n over the design effect: the variance of the accuracy between groups over the variance that as
    many independent images would have (Kish 1965). With all right or all wrong, it is the number of groups.

    Args:
        right: bool (n,), whether each image is classified correctly.
        groups: int64 (n,), the group of each image.
    """
    n = len(right)
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1 if n else 0
    share = float(right.mean()) if n else 0.0
    alone = share * (1 - share) / max(n, 1)
    if count < 2 or alone == 0:
        return float(count)
    residual = np.bincount(group, weights=right - share, minlength=count)
    between = count / (count - 1) * float(residual @ residual) / n**2
    return float(min(n, n * alone / between)) if between > 0 else float(n)


def effective_sizes(labels: Ints, predicted: Ints, k: int, groups: Ints) -> Floats:
    """For each cell of the confusion matrix, how many independent images its rate is worth: (k, k).

    The diagonal is that of the recalls. It is `effective_n` of the images of a class, with "predicted as this
    class" in the place of "right"; 0 for a class without images.
    """
    sizes = np.zeros((k, k))
    for c in np.unique(labels):
        own = np.flatnonzero(labels == c)
        sizes[c] = effective_sizes_of_class(predicted[own], k, groups[own])
    return sizes


def worth_of_cells(labels: Ints, predicted: Ints, k: int, groups: Ints | None) -> Floats:
    """The share of independent images in those of each cell of the confusion matrix, (k, k), in (0, 1].

    It is 1 where no groups are known.
    """
    if groups is None:
        return np.ones((k, k))
    n = np.maximum(np.bincount(labels, minlength=k), 1)[:, None]
    sizes = effective_sizes(labels, predicted, k, groups)
    return np.where(sizes > 0, sizes / n, 1.0)


def effective_sizes_of_class(predicted: Ints, k: int, groups: Ints) -> Floats:
    """The row of `effective_sizes` of one class, from its images alone: (k,)."""
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
    """Variance of the sum of values (n,) over other groups, and its degrees of freedom.

    The sandwich estimate with the correction for few groups, g / (g - 1) (Cameron and Miller 2015). The
    values have a mean of 0 under what is tested. One group alone shows no variance; its square stands for it.
    """
    sums = group_sums(values, groups)
    g = len(sums)
    return float((sums**2).sum()) * g / max(g - 1, 1), float(max(g - 1, 1))


def excess_over_groups_p(values: Reals, groups: Ints) -> float:
    """One-sided p that the sum of values (n,), 0 on average, is so large; Student's t over the groups."""
    total, (variance, freedom) = float(np.sum(values)), group_variance(values, groups)
    return float(t.sf(total / np.sqrt(variance), freedom)) if variance > 0 else 1.0


def difference_over_groups_p(values: Ints, residual: Reals, groups: Ints) -> float:
    """p that no kind of image has a mean residual other than 0: a Wald test over the groups.

    Hotelling's F in place of chi-squared, since groups are few. With no more groups than kinds, p is 1.

    Args:
        values: int64 (n,), the kind of each image.
        residual: (n,), error less what was expected of it.
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
