"""Rows of length 1, whose products are cosines."""

import numpy as np

from deepsight.core.array_types import Floats, Reals


def unit_rows(features: Reals) -> Floats:
    """Each row of (n, d) divided by its length, float64; a row of zeros stays as it is."""
    rows = np.asarray(features, dtype=np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
