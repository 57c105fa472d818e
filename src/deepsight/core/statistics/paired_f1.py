"""The difference in macro-F1 between two models on the same images, with its interval over images and seeds.

Formulas, sources and measured coverage: docs/methods/statistics.md and benchmarks/statistics.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from deepsight.core.array_types import Floats, Ints
from deepsight.core.statistics.intervals import (
    POWER,
    Effect,
    confusion_counts,
    f1_of_counts,
    macro_weights,
)
from deepsight.core.statistics.macro_f1 import f1_gradient

DISCORDANT = 2.0  # discordant pairs added before the variance of a difference is estimated


def paired_macro_f1(
    labels: Ints,
    control: NDArray[np.int64],
    treatment: NDArray[np.int64],
    k: int,
    *,
    groups: Ints | None = None,
    level: float = 0.95,
) -> Effect:
    """Macro-F1 of `treatment` minus that of `control` on the same images: see `paired_f1`."""
    return paired_f1(labels, control, treatment, macro_weights(labels, k), groups=groups, level=level)


def paired_f1(
    labels: Ints,
    control: NDArray[np.int64],
    treatment: NDArray[np.int64],
    weights: Floats,
    *,
    groups: Ints | None = None,
    level: float = 0.95,
) -> Effect:
    """Σ_c w_c F1_c of `treatment` minus that of `control`, mean over seeds.

    The interval covers the sampling of images and of seeds.

    Args:
        labels: int64 (n,).
        control, treatment: int64 (n,), predicted classes, or (s, n) with row i of the same seed in both.
        weights: (k,), weights of the classes' F1; `macro_weights` for macro-F1.
        groups: int64 (n,), which images belong together, such as those of one patient; the interval is then
            over groups. For one seed only.
        level: coverage of the interval.

    Raises:
        ValueError: control and treatment differ in shape, or groups are given with several seeds.
    """
    before, after = np.atleast_2d(control), np.atleast_2d(treatment)
    if before.shape != after.shape:
        raise ValueError(f"Expected predictions of one shape, received {before.shape} and {after.shape}.")
    k = len(weights)
    first, second = (np.stack([confusion_counts(labels, row, k) for row in arm]) for arm in (before, after))
    each = (f1_of_counts(second) - f1_of_counts(first)) @ weights
    slopes = [f1_gradient(counts, weights) for counts in (first, second)]
    seeds = np.arange(len(before))[:, None]
    share = slopes[1][seeds, labels, after] - slopes[0][seeds, labels, before]
    least = least_variance(labels, np.concatenate(slopes))
    if groups is None:
        return two_way_effect(each, share, labels, least, level)
    if len(before) > 1:
        raise ValueError(f"Expected one seed where images come in groups, received {len(before)}.")
    # Around 0, as under the null: around the mean, a single group with all the change would hide its spread.
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=share[0])
    variance = float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1) + float(least)
    return student_effect(float(each[0]), variance, float(max(len(sums) - 1, 1)), level)


def least_variance(labels: Ints, slopes: Floats) -> Floats:
    """The variance of `DISCORDANT` discordant images, added so that identical models keep some uncertainty.

    The counterpart of the counts that Agresti and Min (2005) add; with equal weights it is 2 / n².

    Args:
        labels: int64 (n,).
        slopes: (m, k, k), `f1_gradient` of the matrices that are compared.
    """
    mean = slopes.mean(axis=0)
    k = len(mean)
    hit = np.diagonal(mean)
    missed = (mean.sum(axis=1) - hit) / max(k - 1, 1)
    return np.asarray(DISCORDANT * ((hit - missed)[labels] ** 2).mean())


def two_way_effect(each: Floats, share: Floats, labels: Ints, least: Floats | float, level: float) -> Effect:
    """A mean over seeds with two-way clustered errors, over images and seeds.

    V = V(images) + V(seeds) - V(cells), since both of the first two contain the noise of the image-seed cells
    (Cameron, Gelbach and Miller 2011). Student's interval; degrees of freedom by Satterthwaite (1946).

    Args:
        each: (s,), the difference of each seed.
        share: (s, n), the contribution of each image to it.
        labels: int64 (n,); images are exchangeable within their class.
        least: additional variance, from `least_variance`.
        level: coverage.
    """
    s = len(each)
    k = int(labels.max(initial=0)) + 1
    mean = share.mean(axis=0)
    of_images, free_images = class_variance(mean, labels, k)
    images = of_images + float(least)
    free_images *= (images / of_images) ** 2 if of_images else 1.0  # the added variance is known exactly
    if s == 1:
        return student_effect(float(each[0]), images, free_images, level)
    seeds = float(each.var(ddof=1)) / s
    cells = sum(class_variance(row - mean, labels, k)[0] for row in share) / (s * (s - 1))
    variance = images + max(seeds - cells, 0.0)
    parts = images**2 / free_images + seeds**2 / (s - 1)
    return student_effect(float(each.mean()), variance, variance**2 / parts, level)


def class_variance(values: Floats, labels: Ints, k: int) -> tuple[float, float]:
    """Variance of the sum of values (n,), stratified by class, and its degrees of freedom (Welch 1947).

    A class with a single image has no variance of its own; the square of its value is used instead.
    """
    n = np.bincount(labels, minlength=k)
    squares = np.bincount(labels, within_classes(values, labels, k) ** 2, k)
    alone = np.bincount(labels, values**2, k)
    of_class = np.where(n > 1, squares * n / np.maximum(n - 1, 1), alone)
    total, parts = float(of_class.sum()), float((of_class**2 / np.maximum(n - 1, 1)).sum())
    return total, total**2 / parts if parts > 0 else float(max(len(values) - k, 1))


def within_classes(values: Floats, labels: Ints, k: int) -> Floats:
    """Values (n,) minus the mean of their class."""
    n = np.maximum(np.bincount(labels, minlength=k), 1)
    return np.asarray(values - (np.bincount(labels, values, k) / n)[labels])


def student_effect(value: float, variance: float, freedom: float, level: float) -> Effect:
    """The effect with Student's interval, its two-sided p, and its minimum detectable size."""
    error = float(np.sqrt(variance))
    quantile, power = (float(t.ppf(q, freedom)) for q in (0.5 + level / 2, POWER))
    p = 2 * float(t.sf(abs(value) / error, freedom)) if error > 0 else float(value == 0)
    reach = quantile * error
    return Effect(value, value - reach, value + reach, min(1.0, p), (quantile + power) * error)
