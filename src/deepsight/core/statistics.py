"""Macro-F1, proportions, and the intervals around them. Sources and formulas: docs/methods/statistics.md.

Tests of significance are in `core/significance.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from deepsight.core.array_types import Floats, Ints

POWER = 0.8  # the customary chance to see an effect of the size of the minimum detectable one


class Interval(NamedTuple):
    """An estimate and the two ends of its interval, in the unit of the estimate."""

    value: float
    low: float
    high: float


class Effect(NamedTuple):
    """A difference, its interval, a two-sided p, and the smallest difference that would have been seen.

    `minimum_detectable` is the true difference that the same data would show at `level` with a power of
    0.8: what "no difference shown" does not rule out.
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
    """Mean over the k classes of F1 = 2 tp / (2 tp + fp + fn), in [0, 1].

    A class without labels and without predictions counts as 0, as in scikit-learn with zero_division=0.
    """
    return float(macro_f1_of_counts(confusion_counts(labels, predicted, k)[None])[0])


def macro_f1_of_counts(counts: NDArray[np.integer]) -> Floats:
    """Macro-F1 of each of b confusion matrices (b, k, k)."""
    hits = np.diagonal(counts, axis1=1, axis2=2)
    return mean_f1(hits, counts.sum(axis=2) + counts.sum(axis=1))


def mean_f1(hits: NDArray[np.integer], support: NDArray[np.integer]) -> Floats:
    """Mean over the last axis of 2 hits / support, where support is labelled plus predicted images."""
    f1 = np.divide(2.0 * hits, support, out=np.zeros(hits.shape), where=support > 0)
    return np.asarray(f1.mean(axis=-1), dtype=np.float64)


def wilson(successes: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Both ends of Wilson's score interval of successes / n, element by element, in [0, 1].

    Where n is 0 nothing is known, and the interval is [0, 1].
    """
    x, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z2 = float(norm.ppf(0.5 + level / 2)) ** 2
    known = np.maximum(size, 1)
    rate = x / known
    half = np.sqrt(z2 * (rate * (1 - rate) + z2 / (4 * known)) / known)
    centre, scale = rate + z2 / (2 * known), 1 + z2 / known
    low, high = (centre - half) / scale, (centre + half) / scale
    return np.where(size > 0, np.clip(low, 0, rate), 0.0), np.where(size > 0, np.clip(high, rate, 1), 1.0)


def weighted_proportions(
    successes: ArrayLike, n: ArrayLike, weights: ArrayLike, level: float = 0.95
) -> Interval:
    """Sum of weights × successes / n over independent proportions, with an interval and no draws.

    The interval recovers each variance from the Wilson ends (Zou & Donner 2008, "MOVER"; Newcombe's
    interval is the case of weights 1 and -1).
    """
    w, size = np.asarray(weights, dtype=np.float64), np.asarray(n, dtype=np.float64)
    low, high = wilson(successes, size, level)
    rate = np.asarray(successes, dtype=np.float64) / np.maximum(size, 1)
    down = np.where(w > 0, w * (rate - low), w * (rate - high))
    up = np.where(w > 0, w * (high - rate), w * (low - rate))
    value = float(w @ rate)
    return Interval(value, value - float(np.sqrt(down @ down)), value + float(np.sqrt(up @ up)))


def minimum_detectable(standard_error: float, *, level: float = 0.95, power: float = POWER) -> float:
    """The true difference that a two-sided test at `level` sees with this power.

    At power 0.5 it is the smallest observed difference that is significant.
    """
    return float((norm.ppf(0.5 + level / 2) + norm.ppf(power)) * standard_error)


def resampled_macro_f1(
    labels: Ints, predictions: NDArray[np.int64], k: int, *, draws: int, rng: np.random.Generator
) -> Floats:
    """Macro-F1 of m prediction vectors (m, n) on `draws` resamples of the images, (m, draws).

    Images are resampled within their class. Within a class, images on which all m vectors agree pattern
    by pattern are exchangeable, so one multinomial of the pattern counts replaces drawing images. All
    vectors see the same resample, which makes differences between them paired.
    """
    hits = np.zeros((len(predictions), draws, k), dtype=np.int64)
    support = np.zeros_like(hits)
    for c in np.unique(labels):
        patterns, weights = np.unique(predictions[:, labels == c], axis=1, return_counts=True)
        drawn = rng.multinomial(weights.sum(), weights / weights.sum(), size=draws)
        support[:, :, c] += weights.sum()
        for vector, pattern in enumerate(patterns):
            seen, place = np.unique(pattern, return_inverse=True)
            hits[vector, :, c] = drawn[:, pattern == c].sum(axis=1)
            support[vector][:, seen] += drawn @ np.eye(len(seen), dtype=np.int64)[place]
    return mean_f1(hits, support)


def bootstrap_macro_f1(
    labels: Ints, predicted: Ints, k: int, *, draws: int = 2000, level: float = 0.95, seed: int
) -> Interval:
    """Macro-F1 with the percentile interval over images, resampled within each class.

    The interval says how much the score would move on other test images; it holds the model fixed.
    """
    rng = np.random.default_rng(seed)
    sample = resampled_macro_f1(labels, predicted[None], k, draws=draws, rng=rng)[0]
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    return Interval(macro_f1(labels, predicted, k), float(low), float(high))


def paired_difference(
    labels: Ints,
    control: Ints,
    treatment: Ints,
    k: int,
    *,
    draws: int = 2000,
    level: float = 0.95,
    seed: int,
) -> Effect:
    """Macro-F1 of `treatment` minus that of `control` on the same images, by the paired bootstrap."""
    rng = np.random.default_rng(seed)
    scores = resampled_macro_f1(labels, np.stack([control, treatment]), k, draws=draws, rng=rng)
    observed = macro_f1(labels, treatment, k) - macro_f1(labels, control, k)
    return effect_of_draws(observed, scores[1] - scores[0], level)


def hierarchical_difference(
    labels: Ints,
    control: NDArray[np.int64],
    treatment: NDArray[np.int64],
    k: int,
    *,
    draws: int = 2000,
    level: float = 0.95,
    seed: int,
) -> Effect:
    """Mean over s seeds of the difference in macro-F1, with the interval over seeds and images together.

    Row i of `control` and of `treatment` (s, n) are the predictions of the same seed. Each draw takes one
    resample of the images and s - 1 of the s seeds with replacement: s - 1, not s, so that the variance
    between seeds is not understated by (s - 1) / s (Rao & Wu 1988).

    Raises:
        ValueError: fewer than two seeds, or different numbers of them.
    """
    s = len(control)
    if s < 2 or control.shape != treatment.shape:
        raise ValueError(f"Expected (s, n) twice with s ≥ 2, received {control.shape} and {treatment.shape}.")
    rng = np.random.default_rng(seed)
    scores = resampled_macro_f1(labels, np.concatenate([control, treatment]), k, draws=draws, rng=rng)
    difference = scores[s:] - scores[:s]
    chosen = rng.integers(s, size=(s - 1, draws))
    sample = np.take_along_axis(difference, chosen, axis=0).mean(axis=0)
    observed = [
        macro_f1(labels, after, k) - macro_f1(labels, before, k)
        for before, after in zip(control, treatment, strict=True)
    ]
    return effect_of_draws(float(np.mean(observed)), sample, level)


def effect_of_draws(observed: float, sample: Floats, level: float) -> Effect:
    """The percentile interval of the draws of a difference, and twice the smaller share across zero.

    One draw is added to each side of zero, so that p is never 0.
    """
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    beyond = min(int((sample <= 0).sum()), int((sample >= 0).sum()))
    p = min(1.0, 2 * (beyond + 1) / (len(sample) + 1))
    detectable = minimum_detectable(float(sample.std()), level=level)
    return Effect(observed, float(low), float(high), p, detectable)
