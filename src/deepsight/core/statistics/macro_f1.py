"""Macro-F1: its interval over images, and differences of it over images and seeds.

Formulas, sources and measured coverage: docs/methods/statistics.md and benchmarks/statistics.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from deepsight.core.array_types import Floats, Ints
from deepsight.core.statistics.intervals import (
    POWER,
    Effect,
    Interval,
    confusion_counts,
    f1_of_counts,
    score_interval,
)

FEWEST = 10  # images of a class; with fewer, the normal approximation behind the intervals is rough
SHRINKAGE = 4.0  # images with the pooled error rate that each class is given before its variance is estimated
DISCORDANT = 2.0  # pairs that are added before the variance of a difference is estimated


def macro_f1_interval(
    labels: Ints, predicted: Ints, k: int, *, level: float = 0.95, present: bool = False
) -> Interval:
    """Macro-F1 with its interval over images; the sizes of the classes and the model are held fixed.

    Where every image is right, the low end is that of Wilson's interval with as many images: 20 right of 20
    give [0.84, 1].

    Args:
        labels, predicted: int64 (n,), positions of the k classes.
        k: number of classes.
        level: coverage.
        present: take the mean over the classes that have images, as for a part of a test set; otherwise a
            class without labels and predictions counts as 0.
    """
    counts = confusion_counts(labels, predicted, k)
    chosen = counts.sum(axis=1) > 0 if present else np.ones(k, dtype=bool)
    value, low, high = macro_f1_intervals(counts[None], level, chosen / max(int(chosen.sum()), 1))
    return Interval(float(value[0]), float(low[0]), float(high[0]))


def macro_f1_intervals(
    counts: NDArray[np.integer], level: float = 0.95, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Value and both ends for each of b confusion matrices (b, k, k).

    Wilson's interval with the effective number of images M (1 - M) / V, where V is the delta-method variance
    of macro-F1 on rows that are shrunk towards the pooled error rate: a class without an error among ten
    images is not taken for perfect. The bias of F1 in small classes is taken off to second order.

    Args:
        counts: images by given and predicted class.
        level: coverage.
        weights: (k,), of the classes' F1; 1 / k each where it is None.
    """
    k = counts.shape[-1]
    shares = np.full(k, 1 / k) if weights is None else np.asarray(weights, dtype=np.float64)
    value, shrunk = f1_of_counts(counts) @ shares, shrunk_rows(counts)
    variance = row_variance(shrunk, f1_gradient(shrunk, shares))
    mean = f1_of_counts(shrunk) @ shares
    effective = mean * (1 - mean) / np.maximum(variance, np.finfo(np.float64).tiny)
    centre = np.clip(value - second_order_bias(shrunk) @ shares, 0, 1)
    low, high = score_interval(centre, effective, level)
    return value, np.minimum(low, value), np.maximum(high, value)


def shrunk_rows(counts: NDArray[np.integer]) -> Floats:
    """The matrices (b, k, k), each row drawn towards the pooled error rate and with the sum that it had.

    Errors that are added fall on the classes as all wrong predictions do, or evenly where there are none.
    """
    given = counts.astype(np.float64)
    k = counts.shape[-1]
    sizes, hits = given.sum(axis=-1), np.diagonal(given, axis1=-2, axis2=-1)
    total = sizes.sum(axis=-1)
    rate = ((total - hits.sum(axis=-1) + 1) / (total + 2))[..., None, None]
    wrong = given.sum(axis=-2) - hits
    wrong = wrong + np.maximum(wrong.sum(axis=-1, keepdims=True), 1) / k
    spread = wrong[..., None, :] * (1 - np.eye(k))
    spread /= spread.sum(axis=-1, keepdims=True)
    added = spread * rate + np.eye(k) * (1 - rate)
    return np.asarray(
        (given + SHRINKAGE * added) * (sizes / (sizes + SHRINKAGE))[..., None], dtype=np.float64
    )


def f1_gradient(counts: NDArray[np.number], weights: Floats) -> Floats:
    """What one more image in each cell, taken from its row, adds to Σ_c w_c F1_c: (..., k, k).

    With a hits, n labelled and p predicted images, F1 = 2a / (n + p) grows by 2 (n + p - a) / (n + p)² with a
    hit, and by -2a / (n + p)² with a false positive.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    both = labelled_and_predicted(counts)
    gradient = np.repeat((-2 * hits / both**2 * weights)[..., None, :], counts.shape[-1], axis=-2)
    place = np.arange(counts.shape[-1])
    gradient[..., place, place] = 2 * (both - hits) / both**2 * weights
    return np.asarray(gradient, dtype=np.float64)


def labelled_and_predicted(counts: NDArray[np.number]) -> Floats:
    """How many images are labelled as each class and how many predicted, together: (..., k).

    1 for a class that has neither, whose F1 no image moves: it is divided by its square and cube.
    """
    both = np.asarray(counts.sum(axis=-1) + counts.sum(axis=-2), dtype=np.float64)
    return np.where(both > 0, both, 1.0)


def row_variance(counts: Floats, gradient: Floats) -> Floats:
    """Variance of Σ gradient × counts where each row is a multinomial of its size, (...)."""
    sizes = np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
    mean = (counts * gradient).sum(axis=-1, keepdims=True) / sizes
    return np.asarray((counts * (gradient - mean) ** 2).sum(axis=(-2, -1)), dtype=np.float64)


def second_order_bias(counts: Floats) -> Floats:
    """How far F1 of each class in a sample lies above that of the population on average, (..., k)."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    sizes, both = counts.sum(axis=-1), labelled_and_predicted(counts)
    spread = counts * (1 - counts / np.maximum(sizes, 1e-300)[..., None])
    of_hits = np.diagonal(spread, axis1=-2, axis2=-1)
    of_others = spread.sum(axis=-2) - of_hits
    bias = (2 * hits * of_others - 2 * (both - hits) * of_hits) / both**3
    return np.asarray(bias, dtype=np.float64)


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
    return paired_f1(labels, control, treatment, np.full(k, 1 / k), groups=groups, level=level)


def paired_f1(
    labels: Ints,
    control: NDArray[np.int64],
    treatment: NDArray[np.int64],
    weights: Floats,
    *,
    groups: Ints | None = None,
    level: float = 0.95,
) -> Effect:
    """Σ_c w_c F1_c of `treatment` minus that of `control`, mean over seeds, over images and seeds together.

    Args:
        labels: int64 (n,).
        control, treatment: predicted classes (n,), or (s, n) with row i of the same seed in both.
        weights: (k,), of the classes' F1: 1 / k each for macro-F1.
        groups: int64 (n,), which images belong together, such as those of one patient; the interval is then
            over groups. For one seed only.
        level: coverage of the interval.

    Raises:
        ValueError: the two are not of one shape, or there are groups and several seeds.
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
    # Around 0, as the null has it: around the mean, one group with all the change would hide its own spread.
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=share[0])
    variance = float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1) + float(least)
    return student_effect(float(each[0]), variance, float(max(len(sums) - 1, 1)), level)


def least_variance(labels: Ints, slopes: Floats) -> Floats:
    """The variance that a few discordant images would give, so that none of them is not certainty.

    As Agresti and Min (2005) add to discordant counts: with equal weights it is 2 / n².

    Args:
        slopes: (m, k, k), `f1_gradient` of the matrices that are compared.
    """
    mean = slopes.mean(axis=0)
    k = len(mean)
    hit = np.diagonal(mean)
    missed = (mean.sum(axis=1) - hit) / max(k - 1, 1)
    return np.asarray(DISCORDANT * ((hit - missed)[labels] ** 2).mean())


def two_way_effect(each: Floats, share: Floats, labels: Ints, least: Floats | float, level: float) -> Effect:
    """A mean over seeds with an interval over images and seeds, the noise of their cells counted once.

    V = V(images) + V(seeds) - V(cells): the mean over seeds of each image's share varies with images and with
    cells / s; the seeds' values vary with seeds and once more with the cells, which are taken off
    (Cameron, Gelbach and Miller 2011). Student's interval; degrees of freedom after Satterthwaite (1946).

    Args:
        each: (s,), the difference of each seed.
        share: (s, n), what each image adds to it.
        labels: int64 (n,); images are exchangeable within their class.
        least: variance that is added: `least_variance`.
        level: coverage.
    """
    s = len(each)
    k = int(labels.max(initial=0)) + 1
    mean = share.mean(axis=0)
    of_images, free_images = class_variance(mean, labels, k)
    images = of_images + float(least)
    free_images *= (images / of_images) ** 2 if of_images else 1.0  # what is added has no uncertainty
    if s == 1:
        return student_effect(float(each[0]), images, free_images, level)
    seeds = float(each.var(ddof=1)) / s
    cells = sum(class_variance(row - mean, labels, k)[0] for row in share) / (s * (s - 1))
    variance = images + max(seeds - cells, 0.0)
    parts = images**2 / free_images + seeds**2 / (s - 1)
    return student_effect(float(each.mean()), variance, variance**2 / parts, level)


def class_variance(values: Floats, labels: Ints, k: int) -> tuple[float, float]:
    """Variance of the sum of values (n,) over images of each class, and its degrees of freedom (Welch 1947).

    A class with a single image shows no variance; the square of its value stands for it.
    """
    n = np.bincount(labels, minlength=k)
    squares = np.bincount(labels, within_classes(values, labels, k) ** 2, k)
    alone = np.bincount(labels, values**2, k)
    of_class = np.where(n > 1, squares * n / np.maximum(n - 1, 1), alone)
    total, parts = float(of_class.sum()), float((of_class**2 / np.maximum(n - 1, 1)).sum())
    return total, total**2 / parts if parts > 0 else float(max(len(values) - k, 1))


def within_classes(values: Floats, labels: Ints, k: int) -> Floats:
    """Values (n,) less the mean of their class."""
    n = np.maximum(np.bincount(labels, minlength=k), 1)
    return np.asarray(values - (np.bincount(labels, values, k) / n)[labels])


def student_effect(value: float, variance: float, freedom: float, level: float) -> Effect:
    """The effect with Student's interval, its two-sided p, and its minimum detectable size."""
    error = float(np.sqrt(variance))
    quantile, power = (float(t.ppf(q, freedom)) for q in (0.5 + level / 2, POWER))
    p = 2 * float(t.sf(abs(value) / error, freedom)) if error > 0 else float(value == 0)
    reach = quantile * error
    return Effect(value, value - reach, value + reach, min(1.0, p), (quantile + power) * error)


def few_images(n: Ints, classes: Sequence[str]) -> str:
    """A sentence that names the classes with fewer than ten images; empty where there are none.

    Args:
        n: int64 (k,), images of each class.
        classes: names of the k classes.
    """
    rare = [f"{name} ({count})" for name, count in zip(classes, n, strict=True) if count < FEWEST]
    if not rare:
        return ""
    shown = ", ".join(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
    return (
        f"{len(rare)} of {len(classes)} classes have fewer than {FEWEST} test images: {shown}. "
        "Intervals of macro-F1 that rest on them are rough. Collect more test images of these classes."
    )
