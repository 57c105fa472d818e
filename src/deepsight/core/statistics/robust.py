"""Scores of single values that a few extreme ones cannot move."""

import numpy as np

from deepsight.core.array_types import Floats

TO_DEVIATIONS = 1.4826  # the median absolute deviation of a normal distribution, times this, is its deviation


def robust_score(values: Floats) -> Floats:
    """How far each value (n,) lies above the median, in robust standard deviations.

    This is the modified z-score of Iglewicz and Hoaglin (1993): (x - median) / (1.4826 MAD). Where at least
    half of the values are equal, there is no scale, and every score is 0.
    """
    if not len(values):
        return np.zeros(0)
    centred = values - np.median(values)
    spread = TO_DEVIATIONS * float(np.median(np.abs(centred)))
    return np.zeros(len(values)) if spread == 0 else np.asarray(centred / spread)
