"""Labels that are wrong at random, to any class: how many there are, and which.

People mistake classes for each other that look alike. A label that is wrong at random also lands on classes
that nobody would take the image for. So the classes that the sources find least likely show how many there
are.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.labels.label_sources import SMALLEST
from deepsight.interpret.labels.mistake_mixture import (
    FARTHEST,
    FIRST_SHARE,
    SHARPEST,
    class_transitions,
    fitted_rows,
    judged_columns,
    mixture_parts,
    ramp,
    share_error,
)

BINS = 400  # of equally many pairs of an image and a class, from which the curve is fitted
NO_SHARE = -12.0  # log-odds of the least share of labels that are wrong at random
MOST_SHARE = 0.9
SURE = 2.0  # gain of log-likelihood by the share, that of two standard errors, from which it is believed
# Share of the mistakes that are at random (`share_at_random`) up to which all count as people's, and from
# which all count as random. Labels of people have up to 0.65, since people slip too.
AT_RANDOM = (0.65, 0.77)
OWN_MISTAKES = 0.0025  # share of labels that the sources get wrong and that look like mistakes of people
OF_TWO_CLASSES = 0.25  # weight where there is only one wrong class, so that both kinds look alike


class SymmetricNoise(NamedTuple):
    """Labels that are wrong at random.

    Attributes:
        probability: float64 (n,), that each label is.
        share_error: standard error of their share.
        weight: how far the wrong labels are of this kind, from 0 to 1.
    """

    probability: Floats
    share_error: float
    weight: float


class LabelCurve(NamedTuple):
    """How often a class is the given label, by its pooled probability q, where k classes are possible.

    P = s / (k - 1) + (1 - s k / (k - 1)) expit(constant + slope logit q): a logistic curve with a lower
    asymptote. However unlikely a class, it is the label in s / (k - 1) of the cases.

    Attributes:
        fitted: the log-odds of the share s of labels that are replaced by another class at random, and
            constant and slope of the log-odds that it is the class of the image.
        share_error: standard error of the share.
        gain: of the log-likelihood by the share.
    """

    fitted: Floats
    share_error: float
    gain: float


class Pairs(NamedTuple):
    """Pairs of an image and a class, grouped by probability: mean log-odds, labels and pairs, (b,)."""

    log_odds: Floats
    labels: Floats
    pairs: Floats


def find_symmetric_noise(pooled: Floats, labels: Ints) -> SymmetricNoise:
    """Which labels are wrong at random, and how far the wrong labels are of this kind.

    Args:
        pooled: (n, k), P(given label | image), out of sample and calibrated.
        labels: int64 (n,), given.
    """
    n, k = pooled.shape
    if k < 2:
        return SymmetricNoise(np.zeros(n), 0.0, 0.0)
    few = fitted_rows(n, k)
    curve = label_curve(pooled[few], labels[few])
    if curve.gain < SURE:
        return SymmetricNoise(np.zeros(n), 0.0, 0.0)
    weight = OF_TWO_CLASSES
    if k > 2:
        weight = ramp(share_at_random(pooled[few], labels[few], curve), AT_RANDOM)
    wrong, right = curve_parts(log_odds(pooled[np.arange(n), labels]), k, curve.fitted)
    return SymmetricNoise(wrong / (wrong + right), curve.share_error, weight)


def log_odds(probabilities: Floats) -> Floats:
    """The log-odds of probabilities, which are kept away from 0 and 1."""
    return np.asarray(logit(np.clip(probabilities, SMALLEST, 1 - SMALLEST)), dtype=np.float64)


def grouped_pairs(pooled: Floats, labels: Ints) -> Pairs:
    """All pairs of an image (n) and a class (k) in groups of equally many, the least likely first."""
    given = np.zeros(pooled.shape)
    given[np.arange(len(labels)), labels] = 1
    order = np.argsort(pooled, axis=None)
    odds, given = log_odds(pooled.ravel()[order]), given.ravel()[order]
    starts = np.unique(np.linspace(0, len(order), BINS + 1).astype(int))[:-1]
    sizes = np.diff(np.append(starts, len(order)))
    return Pairs(np.add.reduceat(odds, starts) / sizes, np.add.reduceat(given, starts), sizes.astype(float))


def label_curve(pooled: Floats, labels: Ints) -> LabelCurve:
    """The curve of largest likelihood, and what the share of labels that are wrong at random adds to it."""
    n, k = pooled.shape
    pairs = grouped_pairs(pooled, labels)

    def loss(at: Floats) -> float:
        wrong, right = curve_parts(pairs.log_odds, k, at)
        given = np.clip(wrong + right, SMALLEST, 1 - SMALLEST)
        missed = (pairs.pairs - pairs.labels) * np.log1p(-given)
        return -float((pairs.labels * np.log(given) + missed).sum() / n)

    most = float(logit(MOST_SHARE * (k - 1) / k))
    bounds = [(NO_SHARE, most), (-20.0, 20.0), (0.05, 20.0)]
    found, without = (
        minimize(loss, [start, 0.0, 1.0], method="L-BFGS-B", bounds=[(low, high), *bounds[1:]])
        for start, low, high in ((float(logit(FIRST_SHARE)), NO_SHARE, most), (NO_SHARE, NO_SHARE, NO_SHARE))
    )
    gain = n * float(without.fun - found.fun)
    return LabelCurve(np.asarray(found.x), share_error(loss, found.x, bounds, n), gain)


def curve_parts(odds: Floats, k: int, at: Floats) -> tuple[Floats, Floats]:
    """The joint probabilities that a class is the given label and that it is wrong at random, and right.

    Args:
        odds: log-odds of the pooled probability of the class.
        k: number of classes.
        at: `LabelCurve.fitted`.
    """
    share, of_class = float(expit(at[0])), class_odds(odds, at)
    return share / (k - 1) * expit(-of_class), (1 - share) * expit(of_class)


def class_odds(odds: Floats, at: Floats) -> Floats:
    """The log-odds that a class is that of the image.

    Args:
        odds: log-odds of the pooled probability of the class.
        at: `LabelCurve.fitted`.
    """
    return np.asarray(at[1] + at[2] * odds, dtype=np.float64)


def share_at_random(pooled: Floats, labels: Ints, curve: LabelCurve) -> float:
    """The share of the mistakes that are at random, beside mistakes as people make them.

    Those are counted by a mixture in which the share of labels that are wrong at random is given. The clean
    probabilities are those of the curve to a power, which is fitted.

    Args:
        pooled: (n, k), P(given label | image).
        labels: int64 (n,), given.
        curve: of `label_curve`.
    """
    share, of_class = float(expit(curve.fitted[0])), class_odds(log_odds(pooled), curve.fitted)
    logs = np.maximum(-np.logaddexp(0, -of_class), np.log(FARTHEST))
    clean = np.exp(logs)
    judged = judged_columns(logs, labels, class_transitions(clean / clean.sum(axis=1, keepdims=True)))
    each = share / (pooled.shape[1] - 1)

    def loss(at: Floats) -> float:
        mistaken, right = mixture_parts(judged, np.array([*at, 0.0]))
        own = right / (1 - expit(at[0]))
        return -float(np.log((1 - share) * (mistaken + right) + each * (1 - own)).mean())

    power = float(np.log(SHARPEST))
    bounds = [(NO_SHARE, -0.01), (-power, power)]
    found = minimize(loss, [float(logit(FIRST_SHARE)), 0.0], method="L-BFGS-B", bounds=bounds)
    of_people = (1 - share) * float(expit(found.x[0]))
    return share / (share + max(0.0, of_people - OWN_MISTAKES))
