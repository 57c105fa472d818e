"""Intervals and tests that several findings share. Sources and formulas: docs/methods/statistics.md."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64], k: int) -> float:
    """Mean over the k classes of F1 = 2 tp / (2 tp + fp + fn), in [0, 1].

    A class without labels and without predictions counts as 0, as in scikit-learn with zero_division=0.
    """
    return float(macro_f1_of_counts(confusion_counts(labels, predicted, k)[None])[0])


def confusion_counts(labels: NDArray[np.int64], predicted: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Images by true class (rows) and predicted class (columns), int64 (k, k)."""
    return np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k).astype(np.int64)


def macro_f1_of_counts(counts: NDArray[np.integer]) -> Floats:
    """Macro-F1 of each of b confusion matrices (b, k, k)."""
    hits = np.diagonal(counts, axis1=1, axis2=2).astype(np.float64)
    support = counts.sum(axis=2) + counts.sum(axis=1)
    f1 = np.divide(2 * hits, support, out=np.zeros_like(hits), where=support > 0)
    return np.asarray(f1.mean(axis=1), dtype=np.float64)
