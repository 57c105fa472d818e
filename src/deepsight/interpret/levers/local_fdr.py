"""The local false discovery rate of "this lever mends this error"."""

import numpy as np
from sklearn.isotonic import isotonic_regression

from deepsight.core.array_types import Floats
from deepsight.interpret.levers.base import LeverOutcome

NAMED = 0.2  # largest local false discovery rate of a cause that is named
DIGITS = 3  # to which strengths count as equal


def local_fdr(outcome: LeverOutcome) -> Floats:
    """The chance that each image was changed for the better by churn alone, (m,); 1 where it was not.

    Retraining moves images in both directions. What a lever makes worse at some strength shows how many it
    makes better at that strength by chance, as decoys do in a target-decoy search (Elias & Gygi 2007), with
    one decoy added (Barber & Candès 2015). The rate never rises with the strength.
    """
    strength = np.round(outcome.strengths, DIGITS)
    weights = outcome.examined.weights
    levels = np.unique(strength[strength > 0])
    rate = np.ones(len(strength))
    if not len(levels):
        return rate
    better = np.array([weights[strength == level].sum() for level in levels])
    worse = np.array([weights[nearest(-strength, levels) == place].sum() for place in range(len(levels))])
    worse[-1] += 1  # the clearest changes must outnumber one decoy at least
    ratio = np.minimum(worse / better, 1.0)
    smooth = isotonic_regression(ratio, sample_weight=better, increasing=False)
    place = np.searchsorted(levels, strength)
    up = strength > 0
    rate[up] = np.clip(smooth, 0, 1)[place[up]]
    return rate


def nearest(strength: Floats, levels: Floats) -> Floats:
    """The position of the level that is nearest to each strength; -1 where a strength is not above 0."""
    middle = (levels[1:] + levels[:-1]) / 2
    return np.asarray(np.where(strength > 0, np.searchsorted(middle, strength), -1), dtype=np.float64)
