"""The effect of a treatment against the control, paired by seed: docs/methods/treatments.md."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from deepsight.core.statistics import (
    POWER,
    Effect,
    Floats,
    Labels,
    effect_of_draws,
    hierarchical_difference,
    macro_f1,
    minimum_detectable,
)
from deepsight.treat.treatment import Target

Score = Callable[[Labels, Floats], Floats]
"""Predictions (n,) and weights of the images (b, n) to a score for each row of weights (b,)."""

DRAWS = 1000


def macro_effect(
    labels: Labels, control: NDArray[np.int64], arm: NDArray[np.int64], k: int, *, level: float, seed: int
) -> Effect:
    """Difference in macro-F1; row i of `control` and `arm` (s, n) are predictions of the same seed."""
    effect = hierarchical_difference(labels, control, arm, k, level=level, seed=seed)
    each = [macro_f1(labels, b, k) - macro_f1(labels, a, k) for a, b in zip(control, arm, strict=True)]
    return for_few_seeds(effect, np.asarray(each), level)


def score_effect(
    score: Score, labels: Labels, control: NDArray[np.int64], arm: NDArray[np.int64], *,
    level: float, seed: int,
) -> Effect:  # fmt: skip
    """Difference in another score, by the same bootstrap: images within their class, and seeds."""
    rng = np.random.default_rng(seed)
    s = len(control)
    weights = np.vstack([np.ones(len(labels)), image_draws(labels, DRAWS, rng)])
    scores = np.stack([score(b, weights) - score(a, weights) for a, b in zip(control, arm, strict=True)])
    each, drawn = scores[:, 0], scores[:, 1:]
    chosen = rng.integers(s, size=(s - 1, DRAWS))
    sample = np.take_along_axis(drawn, chosen, axis=0).mean(axis=0)
    return for_few_seeds(effect_of_draws(float(each.mean()), sample, level), each, level)


def image_draws(labels: Labels, draws: int, rng: np.random.Generator) -> Floats:
    """How often each image is taken in each resample within the classes, (draws, n)."""
    weights = np.empty((draws, len(labels)))
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
    return weights


def for_few_seeds(effect: Effect, each: Floats, level: float) -> Effect:
    """The same effect with Student's interval and p in place of the percentiles.

    With five seeds a percentile interval is too narrow where seeds differ. The standard error stays that of
    the bootstrap; its degrees of freedom follow Satterthwaite (1946): s - 1 where all variance lies between
    seeds, and more as images have a larger part.

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
    """Student's quantile, which is the normal one with infinite freedom."""
    return float(t.ppf(probability, freedom) if np.isfinite(freedom) else norm.ppf(probability))


def holm(p_values: Sequence[float]) -> Floats:
    """p-values adjusted for all of them together, in their places (Holm 1979).

    The chance of any false finding stays below the level, which is what a verdict on each of several arms
    must promise.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def class_score(labels: Labels, classes: Sequence[int]) -> Score:
    """Mean F1 of these classes."""

    def score(predicted: Labels, weights: Floats) -> Floats:
        scores = np.stack([f1_of(c, labels, predicted, weights) for c in classes])
        return np.asarray(scores.mean(axis=0))

    return score


def f1_of(c: int, labels: Labels, predicted: Labels, weights: Floats) -> Floats:
    """F1 of a class on weighted images, (b,); 0 where it is neither labelled nor predicted."""
    true, called = (labels == c).astype(np.float64), (predicted == c).astype(np.float64)
    support = weights @ (true + called)
    hits = 2 * (weights @ (true * called))
    return np.asarray(np.divide(hits, support, out=np.zeros_like(hits), where=support > 0))


def pair_score(labels: Labels, pairs: Sequence[tuple[int, int]]) -> Score:
    """Share of the images of each pair of classes that are not taken for the other class, mean over pairs."""

    def score(predicted: Labels, weights: Floats) -> Floats:
        scores = np.stack([separated(a, b, labels, predicted, weights) for a, b in pairs])
        return np.asarray(scores.mean(axis=0))

    return score


def separated(a: int, b: int, labels: Labels, predicted: Labels, weights: Floats) -> Floats:
    """1 minus the share of images of two classes that are taken for the other of the two, (b,)."""
    inside = np.isin(labels, (a, b))
    confused = inside & np.isin(predicted, (a, b)) & (labels != predicted)
    return np.asarray(1 - (weights @ confused) / np.maximum(weights @ inside, 1e-12), dtype=np.float64)


def target_effect(
    target: Target, labels: Labels, control: NDArray[np.int64], arm: NDArray[np.int64], k: int, *,
    level: float, seed: int,
) -> Effect:  # fmt: skip
    """The effect on what the treatment is meant to better, in the unit of that score; positive is better."""
    if target.pairs:
        score = pair_score(labels, target.pairs)
    elif target.classes:
        score = class_score(labels, target.classes)
    else:
        return macro_effect(labels, control, arm, k, level=level, seed=seed)
    return score_effect(score, labels, control, arm, level=level, seed=seed)
