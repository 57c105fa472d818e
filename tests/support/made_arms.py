"""Small training data and predictions with known effects."""

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions

CLASSES = ("bird", "cat", "dog")


def dataset(labels: NDArray[np.int64], *, first_id: int = 0, source: str = "train") -> Dataset:
    """Grey images, whose content no test here looks at."""
    n = len(labels)
    images = np.full((n, 32, 32, 3), 128, dtype=np.uint8)
    return Dataset(images, labels, CLASSES, np.arange(first_id, first_id + n, dtype=np.int64), source)


def logits_of(predicted: NDArray[np.int64], k: int = 3) -> NDArray[np.float32]:
    return np.eye(k, dtype=np.float32)[predicted] * 4


def predictions(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> Predictions:
    ids = np.arange(len(labels), dtype=np.int64)
    return Predictions(ids, labels, logits_of(predicted), np.zeros((len(labels), 0), dtype=np.float32))


def noisy(labels: NDArray[np.int64], rates: list[float], seed: int) -> NDArray[np.int64]:
    """Labels of which a share, class by class, is replaced by the next class."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < np.asarray(rates)[labels]
    return np.where(wrong, (labels + 1) % len(rates), labels).astype(np.int64)
