"""Out-of-fold class probabilities from features, by a ridge classifier in closed form."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, qr
from scipy.special import softmax

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.folds import held_out_folds
from deepsight.interpret.error_analysis.calibration import fit_temperature

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # share of the mean eigenvalue of the features' scatter
BLOCK = 8192  # rows cast to float32 at a time, so that memory does not grow with n


class Sums(NamedTuple):
    """Sufficient statistics of a ridge regression: scatter xᵀx (d, d) and products xᵀy (d, k)."""

    scatter: Floats
    products: Floats


class Standardised:
    """Features with mean 0 and deviation 1 in every column, computed block by block on demand.

    Where there are fewer rows than features, they are rotated into the n directions that they span, which
    leaves the products of rows, and so a ridge regression, unchanged.

    Attributes:
        d: columns of the blocks.
        width: number of original features.
    """

    def __init__(self, features: Reals) -> None:
        self._features = features
        self._centre, self._scale = feature_moments(features)
        self.d = self.width = features.shape[1]
        if len(features) < self.width:
            rows = np.concatenate([rows for _, rows in self.blocks(np.arange(len(features)))])
            self._features = np.asarray(qr(rows.T, mode="r")[0][: len(rows)].T, dtype=np.float32)
            self.d = len(rows)
            self._centre, self._scale = np.zeros(self.d, np.float32), np.ones(self.d, np.float32)

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """At most 8,192 of these row numbers at a time, with their features as float32 (m, d)."""
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            yield block, (np.asarray(self._features[block], dtype=np.float32) - self._centre) / self._scale


def out_of_fold_probabilities(
    features: Reals, labels: Ints, k: int, *, groups: Ints | None = None, folds: int = 5, seed: int
) -> Floats:
    """P(given label | image) for every row, from a classifier that has not seen the row: float64 (n, k).

    Each fold gets its own head: a ridge regression of the one-hot labels on the features of the other folds.
    Scatter matrices add up over folds, so all folds together cost one pass over the features and one
    factorisation each, and every head has seen every class with two images or more. The penalty has the
    least out-of-fold squared error. One temperature, fitted on all out-of-fold scores, turns them into
    probabilities (Guo et al. 2017).

    With groups, the classifier has not seen any row of the row's group either. Where all rows are one group,
    nothing else could judge them, so every row gets the shares of the classes.

    Args:
        features: (n, d), any scale.
        labels: int64 (n,).
        groups: int64 (n,), which rows belong together, such as the images of one patient; None makes each row
            its own group.
        folds: at least 2, and as many as there are groups at most; each class is spread over them evenly.
        seed: of the assignment to folds.

    Raises:
        DeepSightError: fewer than two folds, or fewer rows than folds.
    """
    if folds < 2:
        raise DeepSightError(f"Expected at least 2 folds, received {folds}.")
    if groups is not None:
        folds = min(folds, len(np.unique(groups)))
        if folds < 2:
            return np.tile(np.bincount(labels, minlength=k) / len(labels), (len(labels), 1))
    fold = held_out_folds(labels, folds, groups=groups, seed=seed)
    x = Standardised(features)
    targets = np.eye(k)[labels] - np.bincount(labels, minlength=k) / len(labels)
    parts = [scatter_sums(x, targets, np.flatnonzero(fold == f)) for f in range(folds)]
    others = [sum_of(parts[:f] + parts[f + 1 :]) for f in range(folds)]
    del parts  # as large as the sums of the others
    scores = min(
        (scores_out_of_fold(x, others, fold, penalty) for penalty in PENALTIES),
        key=lambda candidate: float(((candidate - targets) ** 2).sum()),
    )
    return np.asarray(softmax(scores / fit_temperature(scores, labels), axis=1), dtype=np.float64)


def feature_moments(features: Reals) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each feature, float32 (d,); a constant feature has deviation 1."""
    total, squares = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for start in range(0, len(features), BLOCK):
        block = np.asarray(features[start : start + BLOCK], dtype=np.float64)
        total += block.sum(axis=0)
        squares += np.einsum("nd,nd->d", block, block)
    mean = total / len(features)
    deviation = np.sqrt(np.maximum(squares / len(features) - mean**2, 0))
    constant = deviation <= 1e-6 * np.abs(mean) + np.finfo(np.float32).tiny
    return mean.astype(np.float32), np.where(constant, 1, deviation).astype(np.float32)


def scatter_sums(x: Standardised, targets: Floats, rows: NDArray[np.int64]) -> Sums:
    """The sums over these rows; products of a block in float32, totals in float64."""
    scatter, products = np.zeros((x.d, x.d)), np.zeros((x.d, targets.shape[1]))
    for block, values in x.blocks(rows):
        scatter += values.T @ values
        products += values.T @ targets[block].astype(np.float32)
    return Sums(scatter, products)


def sum_of(parts: list[Sums]) -> Sums:
    """The sums over the rows of all parts."""
    return Sums(
        np.sum([part.scatter for part in parts], axis=0), np.sum([part.products for part in parts], axis=0)
    )


def scores_out_of_fold(
    x: Standardised, others: list[Sums], fold: NDArray[np.int64], penalty: float
) -> Floats:
    """The regression's value for each row from the head of the other folds, float64 (n, k).

    Args:
        x: the features.
        others: for each fold, the sums over the rows of the other folds.
        fold: int64 (n,), of each row.
        penalty: as in `ridge_weights`.
    """
    scores = np.empty((len(fold), others[0].products.shape[1]))
    for f, sums in enumerate(others):
        head = ridge_weights(sums, penalty, x.width).astype(np.float32)
        for block, values in x.blocks(np.flatnonzero(fold == f)):
            scores[block] = values @ head
    return scores


def ridge_weights(sums: Sums, penalty: float, width: int) -> Floats:
    """The ridge weights (d, k) fitted on the rows of these sums.

    Args:
        sums: over the rows; they stay as they are.
        penalty: as a share of the mean eigenvalue of the scatter, so that it has no unit.
        width: features whose scatter has that mean.
    """
    scatter = sums.scatter.copy()
    scatter.flat[:: len(scatter) + 1] += penalty * np.trace(scatter) / width
    factor = cho_factor(scatter, lower=True, overwrite_a=True)
    return np.asarray(cho_solve(factor, sums.products), dtype=np.float64)
