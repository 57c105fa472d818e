"""How well scores explain labels, whatever their scale: finer than accuracy where there are few images."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp, softmax

from deepsight.core.array_types import Ints, Reals

CHANCE = 4.0  # images without a class that are added, so that scores that are always right still differ
STEEPEST = 1e6  # factor on scores of unit size, beyond any that matters


def scale_free_likelihood(logits: Reals, labels: Ints) -> float:
    """The highest mean log-probability of the labels that any factor on the logits gives, in nats.

    The factor is at least 0 and the same for all images, so a model that is too sure or too unsure of all its
    answers loses nothing. Each label counts n / (n + 4) as its class and otherwise as all classes alike, as
    if four images without a class were added. Without them, scores that are right for every image would all
    come to 0. The mean is concave in the factor, so it has one maximum: -log k where the logits say nothing
    about the labels.

    Args:
        logits: (n, k), n at least 1.
        labels: int64 (n,).
    """
    n, k = len(labels), logits.shape[1]
    scores = np.asarray(logits, dtype=np.float64)
    scores = scores - scores.mean(axis=1, keepdims=True)
    size = float(np.sqrt(np.square(scores).mean()))
    if size == 0:
        return -float(np.log(k))
    scores /= size
    aim = n / (n + CHANCE) * float(scores[np.arange(n), labels].mean())  # all classes alike add 0

    def slope(factor: float) -> float:
        expected = (softmax(factor * scores, axis=1) * scores).sum(axis=1)
        return aim - float(expected.mean())

    if slope(0.0) <= 0:
        return -float(np.log(k))
    best = STEEPEST if slope(STEEPEST) > 0 else float(brentq(slope, 0.0, STEEPEST))
    return best * aim - float(logsumexp(best * scores, axis=1).mean())
