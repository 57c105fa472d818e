"""Influence of training images on a closed-form head, exactly: what changes when some are left out."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from deepsight.core.array_types import Floats, Ints, Reals

BLOCK = 512  # test images at a time, since their influences are (b, n)


@dataclass(frozen=True)
class RidgeHead:
    """Ridge regression of one-hot labels on features, with what exact removal of rows needs.

    Attributes:
        features: (n, d + 1), with a column of ones.
        half: (n, d + 1), features · G⁻¹, where G = features' · features + penalty · I.
        residual: (n, k), one-hot labels minus outputs.
        weight: (d + 1, k).
        leverage: (n,), the diagonal of the hat matrix, below 1.
    """

    features: Floats
    half: Floats
    residual: Floats
    weight: Floats
    leverage: Floats

    def outputs(self, features: Reals) -> Floats:
        """Outputs (m, k) for the features (m, d) of other images."""
        return np.asarray(with_ones(features) @ self.weight)

    def outputs_without(self, features: Reals, rows: Ints) -> Floats:
        """Outputs (m, k) of the head fitted without these rows, exactly.

        W₋S = W - G⁻¹ X_S' (I - X_S G⁻¹ X_S')⁻¹ (Y_S - X_S W), from the Woodbury identity.
        """
        x = with_ones(features)
        left = np.eye(len(rows)) - self.half[rows] @ self.features[rows].T
        return np.asarray(
            x @ self.weight - (x @ self.half[rows].T) @ np.linalg.solve(left, self.residual[rows])
        )

    def influence(self, features: Reals, direction: Floats) -> Floats:
        """What leaving out each row alone adds to a direction of the outputs of each image, (m, n).

        Args:
            features: (m, d), of the images.
            direction: (m, k), such as one-hot of the true class minus one-hot of the predicted class.
        """
        hat = with_ones(features) @ self.half.T
        return np.asarray(-hat * (direction @ self.residual.T) / (1 - self.leverage))


def with_ones(features: Reals) -> Floats:
    """The features in double precision, with a column of ones for the intercept."""
    x = np.asarray(features, dtype=np.float64)
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def fit_ridge_head(features: Reals, labels: Ints, k: int, *, strength: float = 1e-2) -> RidgeHead:
    """Fit the head.

    Args:
        features: (n, d).
        labels: int64 (n,).
        k: classes.
        strength: the penalty as a share of the features' mean squared norm per dimension.
    """
    x, target = with_ones(features), np.eye(k)[labels]
    gram = x.T @ x
    penalty = strength * float(np.trace(gram)) / len(gram)
    factor = scipy.linalg.cho_factor(gram + penalty * np.eye(len(gram)))
    weight = scipy.linalg.cho_solve(factor, x.T @ target)
    half = scipy.linalg.cho_solve(factor, x.T).T
    leverage = np.minimum((half * x).sum(axis=1), 1 - 1e-9)
    return RidgeHead(x, half, target - x @ weight, weight, leverage)


def margin_directions(labels: Ints, predicted: Ints, k: int) -> Floats:
    """From the predicted class to the true one: one-hot differences (m, k)."""
    return np.asarray(np.eye(k)[labels] - np.eye(k)[predicted])


def most_influential(head: RidgeHead, features: Reals, directions: Floats, count: int) -> tuple[Ints, Floats]:
    """The rows whose removal moves each image most in its direction, and by how much: both (m, count).

    Args:
        head: fitted on n rows.
        features: (m, d), of the images.
        directions: (m, k), of the outputs, such as from `margin_directions`.
        count: rows for each image, at most n.
    """
    rows, moved = [], []
    for start in range(0, len(features), BLOCK):
        part = slice(start, start + BLOCK)
        influence = head.influence(features[part], directions[part])
        top = np.argsort(-influence, axis=1)[:, :count]
        rows.append(top)
        moved.append(np.take_along_axis(influence, top, axis=1))
    return np.concatenate(rows).astype(np.int64), np.concatenate(moved)


def right_without(head: RidgeHead, features: Reals, labels: Ints, rows: Ints) -> Floats:
    """1 where an image is classified correctly without its rows (m, c) in the head, else 0: (m,)."""
    answers = [head.outputs_without(features[i : i + 1], own).argmax() for i, own in enumerate(rows)]
    return np.asarray(np.array(answers, dtype=np.int64) == labels, dtype=np.float64)


def harmful_rows(head: RidgeHead, features: Reals, labels: Ints, count: int) -> Ints:
    """The rows whose removal lowers the squared error on these images most, (count,), ascending.

    With e the errors and h the hat values of an image, leaving out row j adds
    2 h r_j · e / (1 - h_jj) + (h |r_j| / (1 - h_jj))² to its squared error, exactly.

    Args:
        head: fitted on the training rows.
        features: (m, d), of validation images.
        labels: int64 (m,).
        count: rows to return.
    """
    left = np.eye(head.weight.shape[1])[labels] - head.outputs(features)
    moved = head.residual / (1 - head.leverage)[:, None]
    added = np.zeros(len(head.features))
    for start in range(0, len(features), BLOCK):
        part = slice(start, start + BLOCK)
        hat = with_ones(features[part]) @ head.half.T
        added += 2 * ((hat.T @ left[part]) * moved).sum(axis=1)
        added += (hat**2).sum(axis=0) * (moved**2).sum(axis=1)
    return np.sort(np.argsort(added)[:count]).astype(np.int64)
