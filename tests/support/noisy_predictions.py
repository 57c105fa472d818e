"""Predictions with a known share of errors."""

import numpy as np


def noisy(labels: np.ndarray, k: int, error: float, seed: int) -> np.ndarray:
    """Predictions that are the labels, but for a share of errors that fall anywhere."""
    rng = np.random.default_rng(seed)
    wrong = (labels + rng.integers(1, k, size=len(labels))) % k
    return np.where(rng.random(len(labels)) < error, wrong, labels)
