"""Quasi-independence: where errors would fall if confusion depended on each class alone, not on pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Bools, Floats
from deepsight.core.statistics.significance import benjamini_hochberg, binomial_upper_p

ITERATIONS = 1000  # of proportional fitting, at most; dozens suffice unless margins are extreme
SETTLED = 1e-6  # images by which the fitted row sums may differ from the observed ones
ROUNDS = 10  # of leaving flagged pairs out of the fit and testing again
FEWEST_CLASSES = 5  # below it, too few cells are left when pairs are left out
CELLS = 2  # that a row and a column keep in the fit


@dataclass(frozen=True)
class PairTests:
    """Each confusion against chance.

    Attributes:
        expected: (k, k), errors expected in each cell, 0 on the diagonal.
        trials, shares: (k, k), of the binomial that each cell is compared with.
        p_values: (k, k), of at least that many errors, one-sided; 1 on the diagonal.
        q_values: (k, k), false discovery rate over the k (k - 1) pairs; 1 on the diagonal.
    """

    expected: Floats
    trials: NDArray[np.int64]
    shares: Floats
    p_values: Floats
    q_values: Floats


def pair_tests(counts: NDArray[np.integer], worth: Floats | None = None, *, fdr: float = 0.05) -> PairTests:
    """Each confusion against quasi-independence, which is fitted without those that stand out.

    A pair that is confused often distorts the expected counts of its whole row and column. So flagged pairs
    leave the fit and all are tested again, until the flags no longer change. With two classes there is
    nothing to test: every error of one falls on the other.

    Args:
        counts: (k, k), images by given and predicted class.
        worth: (k, k), the share of independent images in those of each cell, in (0, 1]; None takes every
            image as independent. Tests are of counts that are scaled by it (Rao and Scott 1992).
        fdr: pairs with a q-value of at most this leave the fit.
    """
    worth = np.ones(counts.shape) if worth is None else worth
    found = tested_pairs(counts, np.zeros(counts.shape, dtype=bool), worth)
    left_out = np.zeros(counts.shape, dtype=bool)
    for _ in range(ROUNDS if len(counts) >= FEWEST_CLASSES else 0):
        flagged = leaving_enough(found.q_values <= fdr)
        if (flagged == left_out).all():
            break
        left_out = flagged
        found = tested_pairs(counts, left_out, worth)
    return found


def tested_pairs(counts: NDArray[np.integer], left_out: Bools, worth: Floats) -> PairTests:
    """Binomial tests of all pairs, with a fit to those that are not left out.

    A cell is tested among the errors of its row less those of other cells that were left out.
    """
    k = len(counts)
    off = ~np.eye(k, dtype=bool)
    errors = np.where(off, counts, 0)
    expected = expected_counts(counts, left_out)
    trials, total = (
        np.where(off, (cells * ~left_out).sum(axis=1, keepdims=True) + cells * left_out, 0)
        for cells in (errors, expected)
    )
    shares = np.divide(expected, total, out=np.zeros((k, k)), where=total > 0)
    p = np.where((errors > 0) & (k > 2), binomial_upper_p(errors * worth, trials * worth, shares), 1.0)
    q = np.ones((k, k))
    q[off] = benjamini_hochberg(p[off])
    return PairTests(expected, trials, shares, p, q)


def leaving_enough(flagged: Bools) -> Bools:
    """The flags in rows and columns that keep at least two unflagged cells, which the fit needs."""
    k = len(flagged)
    most = k - 1 - CELLS
    free = (flagged.sum(axis=1, keepdims=True) <= most) & (flagged.sum(axis=0, keepdims=True) <= most)
    return np.asarray(flagged & free)


def expected_counts(counts: NDArray[np.number], left_out: Bools | None = None) -> Floats:
    """Errors that quasi-independence expects in each cell, (k, k), with a diagonal of 0.

    Off the diagonal a cell is the product of a factor of its row (how often the class is misclassified) and
    one of its column (how often it is predicted wrongly), such that the row and column sums over the fitted
    cells are the observed ones: iterative proportional fitting (Goodman 1968). Cells left out of the fit get
    the product as well.
    """
    off = 1.0 - np.eye(len(counts))
    kept = off if left_out is None else off * ~left_out
    rows, columns = (counts * kept).sum(axis=1), (counts * kept).sum(axis=0)
    down, across = np.ones(len(counts)), np.ones(len(counts))
    for _ in range(ITERATIONS):
        across = np.divide(columns, down @ kept, out=np.zeros_like(across), where=down @ kept > 0)
        found = down * (kept @ across)
        if np.abs(found - rows).max(initial=0) < SETTLED:
            break
        down = np.divide(rows, kept @ across, out=np.zeros_like(down), where=kept @ across > 0)
    return np.asarray(np.outer(down, across) * off, dtype=np.float64)
