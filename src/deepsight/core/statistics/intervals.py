"""F1 and proportions with their intervals. Sources and formulas: docs/methods/statistics.md.

Intervals of macro-F1 are in `macro_f1.py` beside this file, tests of significance in `significance.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from deepsight.core.array_types import Floats, Ints

POWER = 0.8  # the customary probability of detecting an effect of the minimum detectable size


class Interval(NamedTuple):
    """An estimate and the two ends of its interval, in the unit of the estimate."""

    value: float
    low: float
    high: float


class Effect(NamedTuple):
    """A difference, its interval, a two-sided p, and the minimum detectable difference.

    `minimum_detectable` is the true difference that the same data would show at the interval's level with a
    power of 0.8: where no difference is shown, a smaller one is not ruled out.
    """

    value: float
    low: float
    high: float
    p_value: float
    minimum_detectable: float


def confusion_counts(labels: Ints, predicted: Ints, k: int) -> NDArray[np.int64]:
    """Images by true class (rows) and predicted class (columns), int64 (k, k)."""
    return np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k).astype(np.int64)


def macro_f1(labels: Ints, predicted: Ints, k: int) -> float:
    """Mean of F1 = 2 tp / (2 tp + fp + fn) over the classes that have images, in [0, 1].

    A class without images does not count, as in scikit-learn with the labels that occur. An image wrongly
    predicted as such a class lowers the recall of its true class.
    """
    counts = confusion_counts(labels, predicted, k)
    return float(f1_of_counts(counts) @ macro_weights(labels, k))


def macro_weights(labels: Ints, k: int) -> Floats:
    """The weight of each class's F1 in macro-F1, (k,): equal for classes with images, 0 for the others."""
    present = np.bincount(labels, minlength=k) > 0
    return np.asarray(present / max(int(present.sum()), 1), dtype=np.float64)


def f1_of_counts(counts: NDArray[np.number]) -> Floats:
    """F1 of each class in confusion matrices (..., k, k): (..., k), 0 for a class that does not occur."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    both = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.asarray(np.divide(2.0 * hits, both, out=np.zeros(hits.shape), where=both > 0), dtype=np.float64)


def wilson(successes: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Both ends of Wilson's score interval (1927) of successes / n, element by element, in [0, 1].

    Where n is 0, the interval is [0, 1].
    """
    x, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    rate = x / np.maximum(size, 1)
    low, high = score_interval(rate, np.maximum(size, 1), level)
    return np.where(size > 0, np.minimum(low, rate), 0.0), np.where(size > 0, np.maximum(high, rate), 1.0)


def score_interval(rate: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Both ends of Wilson's interval of a rate in [0, 1] over n images; n need not be whole."""
    value, size = np.asarray(rate, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z2 = float(norm.ppf(0.5 + level / 2)) ** 2
    half = np.sqrt(z2 * (value * (1 - value) + z2 / (4 * size)) / size)
    centre, scale = value + z2 / (2 * size), 1 + z2 / size
    return np.clip((centre - half) / scale, 0, 1), np.clip((centre + half) / scale, 0, 1)


def weighted_proportions(
    successes: ArrayLike, n: ArrayLike, weights: ArrayLike, level: float = 0.95
) -> Interval:
    """Sum of weights × successes / n over independent proportions, with a closed-form interval.

    Variances are recovered from the ends of the Wilson intervals (MOVER, Zou & Donner 2008). With weights 1
    and -1 this is Newcombe's interval of a difference (1998).
    """
    w, size = np.asarray(weights, dtype=np.float64), np.asarray(n, dtype=np.float64)
    low, high = wilson(successes, size, level)
    rate = np.asarray(successes, dtype=np.float64) / np.maximum(size, 1)
    down = np.where(w > 0, w * (rate - low), w * (rate - high))
    up = np.where(w > 0, w * (high - rate), w * (low - rate))
    value = float(w @ rate)
    return Interval(value, value - float(np.sqrt(down @ down)), value + float(np.sqrt(up @ up)))


def minimum_detectable(standard_error: float, *, level: float = 0.95, power: float = POWER) -> float:
    """The true difference that a two-sided test at `level` detects with this power.

    At power 0.5 it is the smallest observed difference that is significant.
    """
    return float((norm.ppf(0.5 + level / 2) + norm.ppf(power)) * standard_error)
