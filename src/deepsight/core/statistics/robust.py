"""Outlier scores that a few extreme values cannot distort."""

import numpy as np

from deepsight.core.array_types import Floats

TO_DEVIATIONS = 1.4826  # the median absolute deviation of a normal distribution, times this, is its deviation


def robust_score(values: Floats) -> Floats:
    """How far each value (n,) lies above the median, in robust standard deviations.

    This is the modified z-score of Iglewicz and Hoaglin (1993): (x - median) / (1.4826 MAD). Where more than
    half of the values are equal, the scale is 0, and so is every score.
    """
    if not len(values):
        return np.zeros(0)
    centred = values - np.median(values)
    spread = TO_DEVIATIONS * float(np.median(np.abs(centred)))
    return np.zeros(len(values)) if spread == 0 else np.asarray(centred / spread)
