"""The frozen phase: the head in closed form, on the features of the backbone as it came."""

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from deepsight.model.linear_probe import LinearHead, fit_head
from deepsight.model.training_state import Epoch, Training, open_view, pooled, validate

HEAD_ROWS = 10_000
"""Images that the closed-form head is fitted to; more add seconds and nothing that fine-tuning keeps."""


@dataclass(frozen=True)
class FrozenFeatures:
    """What the backbone said about some training images before it was fine-tuned on their labels.

    Attributes:
        rows: int64 (m,), positions in the training split.
        features: float32 (m, d), pooled.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.float32]


def frozen_phase(training: Training) -> tuple[Epoch, LinearHead, FrozenFeatures]:
    """Fit the head in closed form on the frozen backbone's features of the original images."""
    began = time.perf_counter()
    open_view(training, training.views, 0)
    rng = np.random.default_rng([training.recipe.seed, 1])
    rows = np.sort(rng.permutation(len(training.labels))[:HEAD_ROWS])
    features = np.concatenate(
        [
            pooled(training.tail, training.views.batch(0, part))
            for part in np.array_split(rows, len(rows) // 256 + 1)
        ]
    )
    head = fit_head(features, training.labels[rows], training.classifier.head.out_features)
    with torch.no_grad():
        training.classifier.head.weight.copy_(torch.from_numpy(head.weight))
        training.classifier.head.bias.copy_(torch.from_numpy(head.bias))
    loss = float(F.cross_entropy(torch.from_numpy(head(features)), torch.from_numpy(training.labels[rows])))
    val_loss, val_f1 = validate(training)
    seconds = time.perf_counter() - began
    epoch = Epoch("frozen", 0.0, seconds, 0.0, 0.0, loss, val_loss, val_f1)
    return epoch, head, FrozenFeatures(rows, features)
