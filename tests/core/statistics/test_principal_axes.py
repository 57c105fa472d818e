"""Principal axes against scikit-learn's, with many rows and with few."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from deepsight.core.statistics.principal_axes import principal_axes


@pytest.mark.parametrize(("n", "d", "dimensions"), [(300, 20, 5), (30, 200, 5), (30, 200, 29), (200, 200, 7)])
def test_they_are_those_of_scikit_learn(n: int, d: int, dimensions: int) -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(n, d)) * np.linspace(3, 0.5, d)).astype(np.float32)
    axes = principal_axes(rows, rows.mean(axis=0), dimensions)
    theirs = PCA(dimensions, svd_solver="full").fit(rows).components_
    assert axes.shape == (d, dimensions)
    assert np.abs(np.einsum("dc,cd->c", axes, theirs)) == pytest.approx(1, abs=1e-3)


def test_few_rows_span_no_more_directions_than_there_are_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    axes = principal_axes(rows, rows.mean(axis=0), 10)
    assert axes.T @ axes == pytest.approx(np.diag([1.0] * 3 + [0.0] * 7), abs=1e-5)
    assert not principal_axes(np.ones((4, 50)), np.ones(50, np.float32), 2).any()
