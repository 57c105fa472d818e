"""Weighted cross-entropy: weak or rare classes count more."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.statistics.intervals import confusion_counts, wilson
from deepsight.treat.treatments.base import Target, Treatment, recipe_change


def weighted_by_recall(labels: Ints, predicted: Ints, k: int) -> Treatment:
    """Weights from the recall on validation images; the target is the classes with low recall."""
    weights = recall_weights(labels, predicted, k, strength=2.0)
    return weighted_loss_treatment("weighted_loss", weights, weak_classes(labels, predicted, k))


def weighted_by_counts(counts: NDArray[np.int64], *, ratio: float = 2.0) -> list[Treatment]:
    """Weights from class sizes, if the largest class is at least `ratio` times the smallest.

    The target is the classes at most 1 / `ratio` times the size of the largest.
    """
    rare = np.flatnonzero(counts * ratio <= counts.max())
    if not len(rare):
        return []
    return [weighted_loss_treatment("weighted_loss_counts", effective_number_weights(counts), rare.tolist())]


def weighted_loss_treatment(name: str, weights: Floats, weak: Sequence[int]) -> Treatment:
    """Weight the loss of each class.

    Args:
        name: of the treatment.
        weights: positive, (k,); scaled to a mean of 1.
        weak: positions of the classes that it is meant to improve.
    """
    scaled = tuple(float(w) for w in np.round(weights / weights.mean(), 6))
    return Treatment(name, "weak class", recipe_change(class_weights=scaled), Target(classes=tuple(weak)))


def recall_weights(labels: Ints, predicted: Ints, k: int, *, strength: float = 1.0) -> Floats:
    """Weights (k,) from validation recall: 1 + strength × (best recall - recall) / best recall.

    With a strength of 1, a class with half the best recall counts 1.5 times. A class without validation
    images has the weight 1, since its recall is unknown.
    """
    counts = confusion_counts(labels, predicted, k)
    n = counts.sum(axis=1)
    recall = np.diag(counts) / np.maximum(n, 1)
    best = max(float(recall.max()), 1e-9)
    return np.where(n > 0, 1 + strength * (best - recall) / best, 1.0)


def effective_number_weights(counts: NDArray[np.int64], *, beta: float = 0.999) -> Floats:
    """Weights (k,) ∝ (1 - β) / (1 - β^n_c), the inverse effective number of images (Cui et al. 2019).

    β = 0 weights all classes equally; β near 1 weights by the inverse count. A class without images has the
    weight of a class with one.
    """
    weights = (1 - beta) / (1 - beta ** np.maximum(counts, 1))
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def weak_classes(labels: Ints, predicted: Ints, k: int, *, level: float = 0.95) -> tuple[int, ...]:
    """Classes whose recall is clearly below the mean (Wilson 1927), else the class with the lowest recall.

    Classes without images are not considered; without any image all classes are returned.
    """
    counts = confusion_counts(labels, predicted, k)
    hits, n = np.diag(counts), counts.sum(axis=1)
    known = np.flatnonzero(n)
    if not len(known):
        return tuple(range(k))
    recall = hits[known] / n[known]
    _, high = wilson(hits[known], n[known], level)
    weak = known[high < recall.mean()]
    return tuple(int(c) for c in weak) or (int(known[recall.argmin()]),)
