"""Which labels are wrong, by people's mistakes or at random, and which surprises are a classifier's own."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.labels.label_sources import SMALLEST
from deepsight.interpret.labels.mistake_mixture import (
    FARTHEST,
    MOST_BEND,
    class_transitions,
    fit_mistakes,
    ramp,
)
from deepsight.interpret.labels.symmetric_noise import find_symmetric_noise

# Share of right labels that classifiers give, from which far-off classes are far off.
BENT_FROM = (0.84, 0.90)
# Share of wrong labels, less its standard error, from which the sources' own mistakes no longer matter: they
# are about one label in a hundred, whatever the noise (docs/methods/label_errors.md).
NOISY = (0.022, 0.036)
CERTAIN = 1e-12  # least distance of a probability from 0 and 1, before log-odds are averaged


class WrongLabels(NamedTuple):
    """Which labels are wrong.

    Attributes:
        probability: float64 (n,), how surely each is.
        share_error: standard error of the share of wrong labels.
        at_random: how far they are wrong at random rather than by people's mistakes, from 0 to 1.
    """

    probability: Floats
    share_error: float
    at_random: float = 0.0


def confident_joint(labels: Ints, probabilities: Floats) -> Floats:
    """C[j, g]: how many images are of class j and labelled g, float64 (k, k), by confident learning.

    Counts the images that are confidently of class j and labelled g: those whose probability of j is at least
    the mean over the images labelled j, scaled to the counts of the given labels (Northcutt et al. 2021;
    calibrated joint of cleanlab).

    Args:
        labels: int64 (n,), given.
        probabilities: (n, k), P(given label | image), out of sample.
    """
    from cleanlab.count import compute_confident_joint

    return np.asarray(compute_confident_joint(labels, probabilities, calibrate=True), dtype=np.float64).T


def wrong_label_probabilities(pooled: Floats, labels: Ints) -> Floats:
    """The probability that each given label is wrong, float64 (n,): see `find_wrong_labels`."""
    return find_wrong_labels(pooled, labels).probability


def find_wrong_labels(pooled: Floats, labels: Ints) -> WrongLabels:
    """How surely each given label is wrong.

    Labels are wrong because people take one class for another (`mistakes_of_people`), or at random
    (`find_symmetric_noise`). The log-odds of both answers are averaged, by how far the wrong labels are of
    the second kind.

    Args:
        pooled: (n, k), P(given label | image), out of sample and calibrated.
        labels: int64 (n,), given.
    """
    people, random = mistakes_of_people(pooled, labels), find_symmetric_noise(pooled, labels)
    if not random.weight:
        return people
    return WrongLabels(
        averaged(people.probability, random.probability, random.weight),
        (1 - random.weight) * people.share_error + random.weight * random.share_error,
        random.weight,
    )


def mistakes_of_people(pooled: Floats, labels: Ints) -> WrongLabels:
    """How surely each given label is a mistake of people.

    Labels are a mixture: a share are mistakes as people make them (`mistake_likelihood`), the others come
    from the clean probabilities. The share and how the clean probabilities follow from the pooled ones
    maximise the likelihood of the labels. So a classifier's own mistakes, which its probabilities foresee,
    are not taken for wrong labels: only more surprises than it foresees are.

    Two such mixtures are averaged in their log-odds. In one the clean probabilities are the pooled ones to a
    power, which leaves classifiers that err in every way their due. In the other, classes that are far off
    are less likely still, so about one label in a hundred that a classifier gets wrong counts as wrong too.
    It counts where classifiers are good, and where many more labels are wrong than that.

    The mixtures say how many labels are wrong at which doubt; the doubt of the label alone ranks better.

    Args:
        pooled: (n, k), P(given label | image), out of sample and calibrated.
        labels: int64 (n,), given.
    """
    transitions, logs = class_transitions(pooled), np.log(np.maximum(pooled, FARTHEST))
    plain = fit_mistakes(logs, labels, transitions, most_bend=0.0)
    bent = fit_mistakes(logs, labels, transitions, most_bend=MOST_BEND, nested=plain)
    mean = (plain.probability.mean() + bent.probability.mean()) / 2
    right = float((pooled.argmax(axis=1) == labels).mean() / (1 - mean))
    noise = float(plain.probability.mean() - plain.share_error)
    weight = max(ramp(right, BENT_FROM), ramp(noise, NOISY))
    return WrongLabels(
        along_doubt(
            pooled[np.arange(len(labels)), labels], averaged(plain.probability, bent.probability, weight)
        ),
        (1 - weight) * plain.share_error + weight * bent.share_error,
    )


def averaged(first: Floats, second: Floats, weight: float) -> Floats:
    """The mean of two probabilities (n,) in their log-odds, with this weight of the second."""
    one, other = (logit(np.clip(each, CERTAIN, 1 - CERTAIN)) for each in (first, second))
    return np.asarray(expit((1 - weight) * one + weight * other), dtype=np.float64)


def along_doubt(own: Floats, wrong: Floats) -> Floats:
    """Probabilities (n,) that rise with the doubt of the label and have the mean of `wrong`.

    Their log-odds are linear in those of the doubt, fitted to `wrong` as soft targets (Platt 1999).

    Args:
        own: (n,), pooled probability of each given label.
        wrong: (n,), probability that it is wrong.
    """
    own = np.clip(own, SMALLEST, 1 - SMALLEST)
    doubt = np.log1p(-own) - np.log(own)

    def loss(line: Floats) -> float:
        at = line[0] + line[1] * doubt
        return float((wrong * np.logaddexp(0, -at) + (1 - wrong) * np.logaddexp(0, at)).mean())

    found = minimize(loss, [-2.0, 1.0], method="L-BFGS-B", bounds=[(None, None), (SMALLEST, None)])
    return np.asarray(expit(found.x[0] + found.x[1] * doubt), dtype=np.float64)
