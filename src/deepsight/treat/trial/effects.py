"""The effect of a treatment against the control, paired by seed: docs/methods/treatments.md."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from deepsight.core.array_types import Floats, Ints
from deepsight.core.statistics import (
    POWER,
    Effect,
    effect_of_draws,
    hierarchical_difference,
    macro_f1,
    minimum_detectable,
)
from deepsight.treat.treatments.base import Target

Score = Callable[[Ints, Floats], Floats]
"""Maps predictions (n,) and image weights (b, n) to m scores per row of weights, (b, m)."""

DRAWS = 1000


def macro_effect(
    labels: Ints, control: NDArray[np.int64], arm: NDArray[np.int64], k: int, *, level: float, seed: int
) -> Effect:
    """The difference in macro-F1; row i of `control` and `arm` (s, n) has the same seed."""
    effect = hierarchical_difference(labels, control, arm, k, level=level, seed=seed)
    each = [macro_f1(labels, b, k) - macro_f1(labels, a, k) for a, b in zip(control, arm, strict=True)]
    return for_few_seeds(effect, np.asarray(each), level)


def score_effects(
    score: Score, weights: Floats, control: NDArray[np.int64], arm: NDArray[np.int64], *,
    level: float, seed: int,
) -> list[Effect]:  # fmt: skip
    """Differences in other scores, by the same bootstrap over images (within classes) and seeds.

    Args:
        score: gives m scores per row of weights.
        weights: (b + 1, n), from `image_draws`; the first row counts each image once.
        control, arm: predictions (s, n).
        level: of the intervals.
        seed: of the draw of seeds.
    """
    rng = np.random.default_rng(seed)
    pairs = zip(control, arm, strict=True)
    scores = np.stack([score(after, weights) - score(before, weights) for before, after in pairs])
    each, drawn = scores[:, 0], scores[:, 1:]
    s = len(control)
    chosen = rng.integers(s, size=(s - 1, drawn.shape[1]))
    sample = drawn[chosen, np.arange(drawn.shape[1])].mean(axis=0)
    return [
        for_few_seeds(effect_of_draws(float(own.mean()), draws, level), own, level)
        for own, draws in zip(each.T, sample.T, strict=True)
    ]


def image_draws(labels: Ints, draws: int, *, seed: int) -> Floats:
    """How often each image is drawn, (draws + 1, n): once each in row 0, then resamples within classes."""
    rng = np.random.default_rng(seed)
    weights = np.ones((draws + 1, len(labels)))
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        weights[1:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
    return weights


def for_few_seeds(effect: Effect, each: Floats, level: float) -> Effect:
    """The same effect with Student's interval and p-value instead of percentiles.

    With five seeds, a percentile interval is too narrow. The standard error stays that of the bootstrap; its
    degrees of freedom follow Satterthwaite (1946): s - 1 if all variance lies between seeds, more the more of
    it comes from images.

    Args:
        effect: from the hierarchical bootstrap; its minimum detectable effect holds the standard error.
        each: (s,), the difference of each seed.
    """
    error = effect.minimum_detectable / minimum_detectable(1.0, level=level)
    if error == 0:
        certain = 1.0 if effect.value == 0 else 0.0
        return effect._replace(low=effect.value, high=effect.value, p_value=certain)
    between = float(each.var(ddof=1)) / len(each)
    share = min(1.0, between / error**2)
    freedom = (len(each) - 1) / share**2 if share > 0 else np.inf
    quantile = student(0.5 + level / 2, freedom)
    p = 2 * float(
        t.sf(abs(effect.value) / error, freedom)
        if np.isfinite(freedom)
        else norm.sf(abs(effect.value) / error)
    )
    reach = (quantile + student(POWER, freedom)) * error
    return Effect(effect.value, effect.value - quantile * error, effect.value + quantile * error, p, reach)


def student(probability: float, freedom: float) -> float:
    """Student's quantile; the normal quantile if the freedom is infinite."""
    return float(t.ppf(probability, freedom) if np.isfinite(freedom) else norm.ppf(probability))


def holm(p_values: Sequence[float]) -> Floats:
    """p-values adjusted for testing all of them, in the same order (Holm 1979).

    This bounds the chance of even one false finding.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def class_f1(labels: Ints, k: int) -> Score:
    """F1 of each of the k classes; 0 for a class that is neither labelled nor predicted."""
    true = np.eye(k)[labels]

    def score(predicted: Ints, weights: Floats) -> Floats:
        called = np.eye(k)[predicted]
        support, hits = weights @ (true + called), 2 * (weights @ (true * called))
        return np.asarray(np.divide(hits, support, out=np.zeros_like(hits), where=support > 0))

    return score


def mean_class_f1(labels: Ints, k: int, classes: Sequence[int]) -> Score:
    """Mean F1 of these classes, as one score."""
    every = class_f1(labels, k)
    return lambda predicted, weights: every(predicted, weights)[:, list(classes)].mean(axis=1, keepdims=True)


def target_score(target: Target, labels: Ints, k: int) -> Score:
    """The score that the treatment is meant to improve; higher is better."""
    paired = np.unique(np.asarray(target.pairs, dtype=np.int64)).tolist()
    return mean_class_f1(labels, k, paired or target.classes or range(k))
