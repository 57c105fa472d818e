"""Each interval against a second formula, a simulation or a library."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score

from deepsight.core.statistics import intervals as statistics
from noisy_predictions import noisy

counts = st.integers(0, 400)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(5, size=600)


def test_macro_f1_and_counts_are_those_of_scikit_learn(labels: np.ndarray) -> None:
    predicted = noisy(labels, 5, 0.3, 2)
    assert statistics.macro_f1(labels, predicted, 5) == pytest.approx(
        f1_score(labels, predicted, average="macro")
    )
    assert (statistics.confusion_counts(labels, predicted, 5) == confusion_matrix(labels, predicted)).all()


def test_a_class_without_images_does_not_count() -> None:
    labels = np.array([0, 1, 1])
    assert statistics.macro_f1(labels, labels, 4) == 1
    assert statistics.macro_f1(labels[:0], labels[:0], 4) == 0


@pytest.mark.slow
@settings(deadline=None)
@given(counts, counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_that_of_scipy(successes: int, failures: int, level: float) -> None:
    n = successes + failures
    low, high = statistics.wilson(successes, n, level)
    if n == 0:
        assert (low, high) == (0, 1)
        return
    interval = binomtest(successes, n).proportion_ci(level, "wilson")
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_wilson_is_elementwise() -> None:
    low, high = statistics.wilson([0, 5, 0], [10, 10, 0])
    assert low.shape == high.shape == (3,)
    assert (low <= [0, 0.5, 0]).all()
    assert (high >= [0, 0.5, 1]).all()


def test_weighted_proportions_give_newcombes_interval_of_a_difference() -> None:
    # Newcombe (1998), method 10, for 56/70 against 48/80: 0.0524 to 0.3339.
    interval = statistics.weighted_proportions([56, 48], [70, 80], [1, -1])
    assert interval == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_one_weighted_proportion_is_wilsons_interval() -> None:
    low, high = map(float, statistics.wilson(7, 20))
    assert statistics.weighted_proportions([7], [20], [1.0]) == pytest.approx((0.35, low, high))


def test_minimum_detectable_difference_is_that_of_the_normal_power_formula() -> None:
    assert statistics.minimum_detectable(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert statistics.minimum_detectable(1.0, power=0.5) == pytest.approx(1.959964, abs=1e-6)
