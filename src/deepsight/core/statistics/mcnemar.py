"""McNemar's test: do two models differ in accuracy on the same images? See docs/methods/statistics.md."""

from typing import NamedTuple

import numpy as np
from scipy.stats import binom, chi2, t

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.statistics.intervals import POWER, minimum_detectable

EXACT_BELOW = 25  # discordant images; with fewer, the chi-squared approximation of McNemar's test is poor


class McNemar(NamedTuple):
    """McNemar's comparison of two models on the same images.

    Attributes:
        only_first, only_second: images that only this model classifies correctly.
        difference: accuracy of the second minus that of the first.
        low, high: interval of the difference (Agresti & Min 2005): half an image is added to each of the four
            cells, so the interval has a width even where no image is discordant.
        p_value: two-sided, of equal accuracy.
        threshold: the smallest observed difference in accuracy that is significant.
        minimum_detectable: the true difference that the test detects with a power of 0.8.
    """

    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p_value: float
    threshold: float
    minimum_detectable: float


def mcnemar(labels: Ints, first: Ints, second: Ints, *, level: float = 0.95) -> McNemar:
    """McNemar's test: exact below 25 discordant images, else chi-squared without continuity correction.

    With 10,000 images of which 300 are discordant, the threshold at 95 % is 0.34 points of accuracy.

    Args:
        labels, first, second: int64 (n,), the true classes and the predictions of both models.
        level: coverage of the interval.
    """
    right_first, right_second = first == labels, second == labels
    b = int((right_first & ~right_second).sum())
    c = int((~right_first & right_second).sum())
    error = float(np.sqrt(b + c)) / max(len(labels), 1)
    n = len(labels) + 2
    centre = (c - b) / n
    reach = minimum_detectable(
        float(np.sqrt((b + c + 1) / n - centre**2) / np.sqrt(n)), level=level, power=0.5
    )
    return McNemar(
        only_first=b,
        only_second=c,
        difference=(c - b) / max(len(labels), 1),
        low=centre - reach,
        high=centre + reach,
        p_value=discordance_p(b, c),
        threshold=minimum_detectable(error, level=level, power=0.5),
        minimum_detectable=minimum_detectable(error, level=level),
    )


def grouped_mcnemar(labels: Ints, first: Ints, second: Ints, groups: Ints, *, level: float = 0.95) -> McNemar:
    """McNemar's test for grouped images: differences are summed by group (Durkalski et al. 2003).

    Student's t replaces chi-squared, since groups are few. As without groups, half an image is added to each
    of the four cells, so that identical predictions still leave some uncertainty.

    Args:
        labels, first, second: int64 (n,), the true classes and the predictions of both models.
        groups: int64 (n,), the group of each image.
        level: coverage of the interval.
    """
    alone = mcnemar(labels, first, second, level=level)
    change = (second == labels).astype(np.float64) - (first == labels)
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=change)
    n, g = len(labels), len(sums)
    sizes = np.bincount(np.unique(groups, return_inverse=True)[1])
    centred = sums - sizes * alone.difference
    variance = (float((centred**2).sum()) * g / max(g - 1, 1) + 1) / (n + 2) ** 2
    error, freedom = float(np.sqrt(variance)), max(g - 1, 1)
    quantile, power = float(t.ppf(0.5 + level / 2, freedom)), float(t.ppf(POWER, freedom))
    centre = alone.difference * n / (n + 2)
    return alone._replace(
        low=centre - quantile * error, high=centre + quantile * error,
        p_value=grouped_discordance_p(change, groups),
        threshold=quantile * error, minimum_detectable=(quantile + power) * error,
    )  # fmt: skip


def grouped_discordance_p(change: Floats, groups: Ints) -> float:
    """Two-sided p that changes (n,) of -1, 0 or 1 have mean 0, by Student's t over groups."""
    if not len(change) or not change.any():
        return 1.0
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=change)
    null = float((sums**2).sum())
    return 2 * float(t.sf(abs(sums.sum()) / np.sqrt(null), max(len(sums) - 1, 1))) if null else 1.0


def more_often(first: Bools, second: Bools, *, alarm: float) -> bool:
    """Whether the first is true in more rows than the second, by McNemar's test at this level."""
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    return gained > lost and discordance_p(gained, lost) <= alarm


def discordance_p(b: int, c: int) -> float:
    """Two-sided p that b and c discordant images are an even split; 1 where there are none."""
    if b + c == 0:
        return 1.0
    if b + c < EXACT_BELOW:
        return min(1.0, 2 * float(binom.cdf(min(b, c), b + c, 0.5)))
    return float(chi2.sf((b - c) ** 2 / (b + c), df=1))
