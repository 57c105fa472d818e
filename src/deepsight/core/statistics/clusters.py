"""Intervals for images that come in groups: of one patient, one video, one camera.

Images of a group resemble each other, so a thousand images of ten patients say less than a thousand of a
thousand. Sources and formulas: docs/methods/statistics.md.
"""

import numpy as np

from deepsight.core.array_types import Bools, Ints
from deepsight.core.statistics.intervals import Interval, macro_f1

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
    sample = []
    for start in range(0, draws, BLOCK):
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(BLOCK, draws - start))
        counted = times @ support
        f1 = np.divide(2.0 * (times @ hits), counted, out=np.zeros(counted.shape), where=counted > 0)
        sample.append(f1.mean(axis=1))
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
