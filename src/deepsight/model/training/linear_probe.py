"""A linear probe in closed form: ridge regression on pooled features, its strength by cross-validation."""

import time
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.special
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from deepsight.core.array_types import Floats
from deepsight.model.hardware.precision import in_precision
from deepsight.model.training.training_state import Epoch, Training, open_view, pooled, validate

STRENGTHS = np.geomspace(1e-5, 1e1, 25)
PROBE_ROWS = 10_000
"""Images that the probe is fitted to at most; more take seconds and change nothing after fine-tuning."""


@dataclass(frozen=True)
class LinearProbe:
    """`logits = features · weight' + bias`.

    Attributes:
        weight: float64 (k, d).
        bias: float64 (k,).
        strength: the chosen penalty, as a share of the features' mean variance.
        scale: the factor from regression outputs to logits, fitted to the leave-one-out outputs.
    """

    weight: Floats
    bias: Floats
    strength: float
    scale: float

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """Features (n, d) to logits (n, k)."""
        return np.asarray(features @ self.weight.T + self.bias)


def fit_linear_probe(features: NDArray[np.floating], labels: NDArray[np.int64], k: int) -> LinearProbe:
    """Ridge regression of the one-hot labels on features, then one scale for all logits.

    The strength minimises the generalised cross-validation error (Golub, Heath and Wahba 1979); all strengths
    share one eigendecomposition. The scale minimises the cross-entropy of the exact leave-one-out outputs
    `ŷ_i - h_i (y_i - ŷ_i) / (1 - h_i)`, so that the head is about as confident as it is accurate.

    Args:
        features: (n, d), any float type.
        labels: int64 (n,).
        k: number of classes.
    """
    x = np.asarray(features, dtype=np.float64)
    mean, target = x.mean(axis=0), np.eye(k)[labels]
    share = target.mean(axis=0)
    x = x - mean
    values, vectors = scipy.linalg.eigh(x.T @ x, check_finite=False)
    values = np.maximum(values, 0)
    basis = x @ vectors
    projected = basis.T @ (target - share)
    unit = float(values.mean())
    strength = min(STRENGTHS, key=lambda s: _gcv(values, projected, target - share, s * unit))
    inverse = 1 / (values + strength * unit)
    outputs = basis @ (inverse[:, None] * projected)
    leverage = np.minimum((basis**2) @ inverse + 1 / len(x), 1 - 1e-9)[:, None]
    left_out = (outputs - leverage * (target - share)) / (1 - leverage) + share
    scale = _logit_scale(left_out, labels)
    weight = scale * (vectors @ (inverse[:, None] * projected)).T
    return LinearProbe(weight, scale * share - weight @ mean, float(strength), scale)


def _gcv(values: Floats, projected: Floats, target: Floats, penalty: float) -> float:
    """Sum of squared residuals over the squared share of residual degrees of freedom.

    The mean takes one degree too. If it were not counted, the smallest penalty would always win where n ≤ d:
    the residual goes to zero and the share stays at 1 / n.
    """
    n = len(target)
    shrink = values / (values + penalty)
    explained = (projected**2).sum(axis=1) / np.maximum(values, 1e-9 * values.max())
    beyond = max(0.0, float((target**2).sum() - explained.sum()))
    left = n - 1 - float(shrink.sum())
    residual = beyond + float((((penalty / (values + penalty)) ** 2) * explained).sum())
    return residual / (left / n) ** 2 if left > 1e-9 * n else float("inf")


def _logit_scale(outputs: Floats, labels: NDArray[np.int64]) -> float:
    rows = np.arange(len(labels))

    def cross_entropy(log_scale: float) -> float:
        logits = np.exp(log_scale) * outputs
        return float((scipy.special.logsumexp(logits, axis=1) - logits[rows, labels]).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-2, 5), method="bounded").x))


@dataclass(frozen=True)
class FrozenFeatures:
    """The backbone's features of some training images from before it was fine-tuned on their labels.

    Attributes:
        rows: int64 (m,), positions in the training split.
        features: float32 (m, d), pooled.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class ProbePhase:
    """The phase before fine-tuning: its row of the history, the probe, and the features it was fitted to."""

    epoch: Epoch
    probe: LinearProbe
    features: FrozenFeatures


def linear_probe_phase(training: Training) -> ProbePhase:
    """Fit a linear probe to the frozen backbone's features of the original images, and make it the head."""
    began = time.perf_counter()
    open_view(training, training.views, 0)
    probe, frozen = fit_head(training, training.recipe.seed)
    labels = torch.from_numpy(training.labels[frozen.rows])
    loss = float(F.cross_entropy(torch.from_numpy(probe(frozen.features)), labels))
    val_loss, val_f1 = validate(training)
    seconds = time.perf_counter() - began
    epoch = Epoch("frozen", 0.0, seconds, 0.0, 0.0, loss, val_loss, val_f1)
    return ProbePhase(epoch, probe, frozen)


def fit_head(training: Training, seed: int) -> tuple[LinearProbe, FrozenFeatures]:
    """Fit a probe to at most `PROBE_ROWS` training images as they are, and put it into the head.

    Features have the precision of the training steps, which see them next.

    Args:
        training: its head is changed in place.
        seed: decides which images are taken.
    """
    rows = np.sort(np.random.default_rng([seed, 1]).permutation(len(training.labels))[:PROBE_ROWS])
    head = training.classifier.head
    parts = np.array_split(rows, len(rows) // 256 + 1)
    with in_precision(training.recipe.precision, head.weight.device):
        features = np.concatenate(
            [pooled(training.trainable, training.views.batch(0, part)) for part in parts]
        )
    probe = fit_linear_probe(features, training.labels[rows], head.out_features)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.weight))
        head.bias.copy_(torch.from_numpy(probe.bias))
    return probe, FrozenFeatures(rows, features)
