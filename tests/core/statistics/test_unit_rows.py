"""Rows of length 1: their products are cosines, and zeros stay zeros."""

import numpy as np
from scipy.spatial.distance import cdist

from deepsight.core.statistics.unit_rows import unit_rows


def test_products_are_the_cosines_of_scipy() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 5)).astype(np.float32) * rng.uniform(1e-3, 1e3, (20, 1)).astype(np.float32)
    unit = unit_rows(rows)
    np.testing.assert_allclose(unit @ unit.T, 1 - cdist(rows, rows, "cosine"), atol=1e-6)


def test_a_row_of_zeros_stays() -> None:
    assert unit_rows(np.zeros((2, 3))).tolist() == [[0.0] * 3] * 2
