"""Macro-F1 with its interval over images.

Formulas, sources and measured coverage: docs/methods/statistics.md and benchmarks/statistics.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.statistics.intervals import (
    Interval,
    confusion_counts,
    f1_of_counts,
    macro_weights,
    score_interval,
)

FEWEST = 10  # images of a class; with fewer, the normal approximation behind the intervals is rough
SHRINKAGE = 4.0  # pseudo-images at the pooled error rate added to each class before its variance is estimated


def macro_f1_interval(labels: Ints, predicted: Ints, k: int, *, level: float = 0.95) -> Interval:
    """Macro-F1 over the classes that have images, with its interval over images.

    Class sizes and the model are held fixed. Where every prediction is correct, the low end is that of
    Wilson's interval: 20 of 20 give [0.84, 1].

    Args:
        labels, predicted: int64 (n,), positions of the k classes.
        k: number of classes.
        level: coverage.
    """
    counts = confusion_counts(labels, predicted, k)
    value, low, high = macro_f1_intervals(counts[None], level, macro_weights(labels, k))
    return Interval(float(value[0]), float(low[0]), float(high[0]))


def macro_f1_intervals(
    counts: NDArray[np.integer], level: float = 0.95, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Macro-F1 M and both ends of its interval, (b,) each, for confusion matrices (b, k, k).

    Wilson's interval with the effective number of images M (1 - M) / V, where V is the delta-method variance
    of macro-F1 on rows shrunk towards the pooled error rate, so that a class with ten images and no error is
    not taken for perfect. The bias of F1 in small classes is removed to second order.

    Args:
        counts: images by true class (rows) and predicted class (columns).
        level: coverage.
        weights: (k,), weights of the classes' F1; None weights all classes equally.
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
    """Confusion matrices (b, k, k) with each row shrunk towards the pooled error rate; row sums are kept.

    Added errors are distributed over the classes like the wrong predictions, or evenly where there are none.
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
    """The derivative of Σ_c w_c F1_c with respect to each cell of confusion matrices (..., k, k).

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
    """Images labelled as each class plus images predicted as it, (..., k).

    It is 1 for a class with neither, since callers divide by its square and cube.
    """
    both = np.asarray(counts.sum(axis=-1) + counts.sum(axis=-2), dtype=np.float64)
    return np.where(both > 0, both, 1.0)


def row_variance(counts: Floats, gradient: Floats) -> Floats:
    """Variance of Σ gradient × counts where each row is multinomial with its size fixed, (...)."""
    sizes = np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)
    mean = (counts * gradient).sum(axis=-1, keepdims=True) / sizes
    return np.asarray((counts * (gradient - mean) ** 2).sum(axis=(-2, -1)), dtype=np.float64)


def second_order_bias(counts: Floats) -> Floats:
    """The second-order bias of each class's sample F1, (..., k): positive where it is too high on average."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    sizes, both = counts.sum(axis=-1), labelled_and_predicted(counts)
    spread = counts * (1 - counts / np.maximum(sizes, 1e-300)[..., None])
    of_hits = np.diagonal(spread, axis1=-2, axis2=-1)
    of_others = spread.sum(axis=-2) - of_hits
    bias = (2 * hits * of_others - 2 * (both - hits) * of_hits) / both**3
    return np.asarray(bias, dtype=np.float64)


def few_images_warning(n: Ints, classes: Sequence[str]) -> str:
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
        + (" A class without test images does not count in macro-F1." if (n == 0).any() else "")
    )
