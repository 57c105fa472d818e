"""Robust scores agree with scipy's, and have a meaning where there is no spread."""

import numpy as np
from scipy.stats import median_abs_deviation

from deepsight.core.statistics.robust import robust_score


def test_the_score_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).gamma(2, size=99)
    spread = median_abs_deviation(values, scale="normal")
    assert np.allclose(robust_score(values), (values - np.median(values)) / spread, rtol=1e-4)


def test_nothing_stands_out_where_most_values_are_equal() -> None:
    assert robust_score(np.array([3.0, 3.0, 3.0, 9.0])).tolist() == [0, 0, 0, 0]
    assert robust_score(np.zeros(0)).shape == (0,)
