"""Two-way clustered errors, for outcomes that share objects and donors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from deepsight.core.array_types import Floats, Ints
from deepsight.core.statistics.intervals import Interval, minimum_detectable


@dataclass(frozen=True)
class Estimate:
    """A difference, its standard error, and the degrees of freedom of that error.

    `at_floor` marks an error that is the least for so few objects, whatever they say.
    """

    value: float
    error: float
    freedom: int
    at_floor: bool = False

    def interval(self, level: float = 0.95) -> Interval:
        """Student's t interval."""
        half = float(t.ppf(0.5 + level / 2, self.freedom)) * self.error
        return Interval(self.value, self.value - half, self.value + half)

    def p_above(self, bound: float) -> float:
        """One-sided p of a true difference of at most `bound`."""
        return float(t.sf((self.value - bound) / self.error, self.freedom))

    @property
    def minimum_detectable(self) -> float:
        """The true difference that would be detected with a power of 0.8."""
        return minimum_detectable(self.error)


def difference_of_means(outcome: Floats, treated: NDArray[np.bool_]) -> tuple[float, Floats]:
    """Difference of means, treated minus the others, and what each outcome contributes to its error, (c,)."""
    with_, without = outcome[treated], outcome[~treated]
    residual = np.where(treated, outcome - with_.mean(), without.mean() - outcome)
    size = np.where(treated, len(with_), len(without))
    return float(with_.mean() - without.mean()), residual / size


def clustered_estimate(value: float, contribution: Floats, rows: Ints, columns: Ints) -> Estimate:
    """The value, with an error that generalises to new objects and new donors.

    Variance by two-way clustering, V(rows) + V(columns) − V(cells) (Cameron, Gelbach and Miller 2011). It is
    at least that of either way alone, and at least that of one object changing its answer, so that identical
    outcomes do not give an interval of width 0.

    Args:
        value: the difference.
        contribution: (c,), what each outcome contributes to its error.
        rows, columns: (c,), the object and the donor of each outcome.
    """
    by_row, by_column = cluster_variance(contribution, rows), cluster_variance(contribution, columns)
    by_cell = float((contribution**2).sum())
    objects, donors = len(np.unique(rows)), len(np.unique(columns))
    floor = (1.5 / objects) ** 2  # 1.96 × 1.5 / G is the rule of three
    seen = max(by_row + by_column - by_cell, by_row, by_column)
    freedom = max(min(objects, donors) - 1, 1)
    return Estimate(value, float(np.sqrt(max(seen, floor))), freedom, at_floor=seen < floor)


def cluster_variance(contribution: Floats, cluster: Ints) -> float:
    """Variance of the sum where outcomes depend on each other within clusters only, with G / (G − 1)."""
    _, place = np.unique(cluster, return_inverse=True)
    sums = np.bincount(place, weights=contribution)
    return float((sums**2).sum() * len(sums) / max(len(sums) - 1, 1))
