"""Whether the largest score names the class, or the smallest, as with distances and losses."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from deepsight.core.array_types import Ints, Reals
from deepsight.core.errors import UsageError
from deepsight.core.statistics.intervals import confusion_counts
from deepsight.core.statistics.mcnemar import more_often

ALARM = 0.001  # probability of a false alarm
GOOD = 0.5  # share of rows in which the smallest value must name the class, for certainty


class ScoreDirection(NamedTuple):
    """How often the given label has the smallest and the largest value of its row.

    Attributes:
        n: rows.
        smallest: share of rows in which the label's value is the smallest, and the only one so small.
        largest: share of rows in which it is the largest.
        reordered: the same as `largest` if the columns are in the order that fits best.
        doubtful: whether `smallest` is larger than `largest` and than chance allows.
        certain: whether no model that works and no order of its columns explains that either.
    """

    n: int
    smallest: float
    largest: float
    reordered: float
    doubtful: bool
    certain: bool


def score_direction(values: Reals, labels: Ints) -> ScoreDirection:
    """How often the smallest and the largest value of each row names its label.

    Of two classes, the smallest value names the label wherever exchanged columns would: never for certain.

    Args:
        values: (n, k), finite.
        labels: int64 (n,).
    """
    n, k = values.shape
    lowest = values.min(axis=1, keepdims=True)
    alone = (values == lowest).sum(axis=1) == 1
    smallest, largest = alone & (values.argmin(axis=1) == labels), values.argmax(axis=1) == labels
    counts = confusion_counts(labels, values.argmax(axis=1), k)
    reordered = float(counts[linear_sum_assignment(counts, maximize=True)].sum() / max(n, 1))
    low, high = (float(right.sum() / max(n, 1)) for right in (smallest, largest))
    doubtful = more_often(smallest, largest, alarm=ALARM) and low > most_by_guessing(labels)
    certain = doubtful and low >= max(GOOD, 2 * high) and low > reordered
    return ScoreDirection(n, low, high, reordered, doubtful, certain)


def most_by_guessing(labels: Ints) -> float:
    """The share of rows (0 to 1) that naming the largest class in each reaches, plus two standard errors."""
    n = max(len(labels), 1)
    share = float(np.bincount(labels).max(initial=0)) / n
    return share + 2 * float(np.sqrt(share * (1 - share) / n))


def doubt_about_direction(values: Reals, labels: Ints) -> str:
    """A sentence where the smallest value of a row names its label more often than the largest; "" elsewhere.

    Args:
        values: (n, k), finite.
        labels: int64 (n,).

    Raises:
        UsageError: it is certain that these are no scores.
    """
    found = score_direction(values, labels)
    rows = (
        f"the given label has the smallest value in {found.smallest:.1%} of {found.n:,} rows, and the "
        f"largest in {found.largest:.1%}"
    )
    if found.certain:
        raise UsageError(
            f"Expected scores, of which the largest names the class, but {rows}, as with losses and "
            "distances. Pass their negative."
        )
    if not found.doubtful:
        return ""
    return (
        f"{rows[0].upper()}{rows[1:]}. Are these losses or distances? Then pass their negative. Or are the "
        "columns in another order? Then name them."
    )
