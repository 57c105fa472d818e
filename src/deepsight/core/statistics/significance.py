"""Significance tests that several findings share. Sources and formulas: docs/methods/statistics.md."""

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc
from scipy.stats import chi2, norm, ttest_1samp

from deepsight.core.array_types import Floats

SPLITS = 20_000  # if there are more ways to choose the group, this many are sampled


def p_phrase(p: float) -> str:
    """A p-value as it stands in a sentence: "p = 0.038", and "p < 0.001" below that."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def binomial_upper_p(successes: ArrayLike, n: ArrayLike, share: ArrayLike) -> Floats:
    """P(X ≥ successes) for X ~ Binomial(n, share), element by element; counts need not be whole.

    The incomplete beta function continues the binomial tail between whole numbers, as needed for an effective
    number of independent images.
    """
    x, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    tail = betainc(np.maximum(x, 1e-9), np.maximum(size - x, 0) + 1, np.clip(share, 0, 1))
    return np.where(x > 0, tail, 1.0)


def binomial_lower_p(successes: ArrayLike, n: ArrayLike, share: ArrayLike) -> Floats:
    """P(X ≤ successes) for X ~ Binomial(n, share); see `binomial_upper_p`."""
    x, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    tail = betainc(np.maximum(size - x, 1e-9), x + 1, 1 - np.clip(share, 0, 1))
    return np.where(x < size, tail, 1.0)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """The q-value of each p-value (m,), in its place: the smallest false discovery rate that includes it.

    q_(i) = min over j ≥ i of p_(j) m / j (Benjamini & Hochberg 1995). An empty family gives an empty array.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(-p, kind="stable")
    ranks = np.arange(len(p), 0, -1)
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(np.minimum(p[order] * len(p) / ranks, 1.0))
    return q


def holm(p_values: ArrayLike) -> Floats:
    """The adjusted p-value of each p-value (m,), in its place (Holm 1979).

    This controls the probability of any false finding, as verdicts on each of several arms require.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def runner_up_p(successes: ArrayLike, n: ArrayLike, *, lowest: bool = False) -> tuple[int, float]:
    """The group with the highest rate (or the lowest), and a two-sided p that it differs from the runner-up.

    A group selected for its rank is tested against the runner-up alone, which keeps the level whatever the
    rates are (Gutmann and Maymin 1987). Rates are compared by the score test with pooled variance. Groups
    without images are ignored; with fewer than two groups p is 1.

    Args:
        successes, n: (k,), of independent groups.
        lowest: test the lowest rate instead of the highest.
    """
    x, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    rate = np.where(size > 0, x / np.maximum(size, 1), np.inf if lowest else -np.inf)
    order = np.argsort(rate if lowest else -rate, kind="stable")
    first = int(order[0])
    if len(order) < 2 or not size[order[1]]:
        return first, 1.0
    a, b = order[:2]
    pooled = (x[a] + x[b]) / (size[a] + size[b])
    variance = pooled * (1 - pooled) * (1 / size[a] + 1 / size[b])
    return first, float(chi2.sf((rate[a] - rate[b]) ** 2 / variance, df=1)) if variance > 0 else 1.0


def below_rest_p(successes: ArrayLike, n: ArrayLike) -> Floats:
    """One-sided p (k,) that the rate of each group is below that of all other groups together.

    Score test with pooled variance; p is 1 where a group or all others have no images. The p-values are not
    adjusted for testing every group: use `holm`.
    """
    x, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    others, rest = x.sum() - x, size.sum() - size
    there = (size > 0) & (rest > 0)
    gap = x / np.maximum(size, 1) - others / np.maximum(rest, 1)
    pooled = x.sum() / max(size.sum(), 1)
    error = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(size, 1) + 1 / np.maximum(rest, 1)))
    p = norm.cdf(np.divide(gap, error, out=np.zeros_like(gap), where=error > 0))
    return np.asarray(np.where(there & (error > 0), p, 1.0), dtype=np.float64)


def mean_difference_p(differences: Floats) -> float:
    """Two-sided p that the mean of paired differences (n,) is 0, by Student's t; 1 for fewer than two, or
    where all are 0.
    """
    if len(differences) < 2 or not differences.any():
        return 1.0
    return float(ttest_1samp(differences, 0).pvalue) if differences.std() > 0 else 0.0


def group_difference_p(values: Floats, in_first: NDArray[np.bool_], *, seed: int = 0) -> float:
    """Two-sided p that a group of classes differs in its mean from the others, by permutation of classes.

    Where there are at most 20,000 splits of the k classes into groups of these sizes, all are enumerated,
    which is exact and needs no seed; otherwise 20,000 are drawn. p is twice the smaller tail, so four classes
    against six give at least 2 / 210.

    Args:
        values: (k,), one value per class.
        in_first: bool (k,), whether each class is in the group.
        seed: random seed of the drawn splits.
    """
    k, m = len(values), int(in_first.sum())
    if m in {0, k}:
        return 1.0
    exact = comb(k, m) <= SPLITS
    chosen = all_splits(k, m) if exact else random_splits(k, m, seed)
    first = values[chosen].mean(axis=1)
    # The total is fixed, so the mean of the first group orders the splits as the difference does.
    observed = values[in_first].mean()
    slack = 1e-12 * max(1.0, float(np.abs(values).max()))
    above, below = (first >= observed - slack).sum(), (first <= observed + slack).sum()
    unseen = 0 if exact else 1
    return min(1.0, 2 * float(min(above, below) + unseen) / (len(first) + unseen))


def all_splits(k: int, m: int) -> NDArray[np.int64]:
    """Every choice of m of k classes, one per row."""
    return np.array(list(combinations(range(k), m)), dtype=np.int64)


def random_splits(k: int, m: int, seed: int) -> NDArray[np.int64]:
    """20,000 random choices of m of k classes, one per row."""
    rng = np.random.default_rng(seed)
    return np.argsort(rng.random((SPLITS, k)), axis=1)[:, :m].astype(np.int64)
