"""Each test against a second implementation, and its false alarms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, false_discovery_control, permutation_test, ttest_1samp

from deepsight.core.statistics import significance


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_is_that_of_scipy(p_values: list[float]) -> None:
    ours = significance.benjamini_hochberg(p_values)
    assert ours == pytest.approx(false_discovery_control(p_values), abs=1e-12)
    assert (ours >= np.asarray(p_values) - 1e-12).all()


def test_benjamini_hochberg_of_no_tests_is_empty() -> None:
    assert len(significance.benjamini_hochberg([])) == 0


def test_permutation_over_classes_is_that_of_scipy() -> None:
    values = np.array([0.95, 0.97, 0.96, 0.94, 0.85, 0.78, 0.9, 0.83, 0.955, 0.92])
    rigid = np.array([1, 1, 0, 0, 0, 0, 0, 0, 1, 1], dtype=bool)

    def gap(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return x.mean(axis=axis) - y.mean(axis=axis)

    reference = permutation_test((values[rigid], values[~rigid]), gap, n_resamples=np.inf, vectorized=True)
    assert significance.group_difference_p(values, rigid) == pytest.approx(reference.pvalue)


def test_the_smallest_p_of_four_against_six_classes_is_two_in_210() -> None:
    values = np.arange(10.0)
    assert significance.group_difference_p(values, values >= 6) == pytest.approx(2 / 210)
    assert significance.group_difference_p(values, values < 4) == pytest.approx(2 / 210)


def test_equal_classes_give_no_evidence() -> None:
    assert significance.group_difference_p(np.full(6, 0.3), np.arange(6) < 3) == 1
    assert significance.group_difference_p(np.arange(3.0), np.ones(3, dtype=bool)) == 1


def test_many_classes_are_sampled_and_agree_with_a_normal_approximation() -> None:
    rng = np.random.default_rng(0)
    values, group = rng.normal(size=60), np.arange(60) < 30
    values[group] += 0.5
    p = [significance.group_difference_p(values, group, seed=seed) for seed in (1, 2)]
    assert p[0] != p[1]
    reference = permutation_test(
        (values[group], values[~group]), lambda x, y: x.mean() - y.mean(), n_resamples=2000, rng=1
    )
    assert p[0] == pytest.approx(p[1], abs=0.01)
    assert p[0] == pytest.approx(reference.pvalue, abs=0.03)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_step_down_formula(p_values: list[float]) -> None:
    m = len(p_values)
    ordered = sorted(p_values)
    expected = [max(min(1.0, ordered[j] * (m - j)) for j in range(i + 1)) for i in range(m)]
    assert sorted(significance.holm(p_values)) == pytest.approx(sorted(expected))
    assert (significance.holm(p_values) >= np.asarray(p_values) - 1e-15).all()


def test_holm_keeps_places() -> None:
    assert significance.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert significance.holm([]).shape == (0,)


def test_the_first_of_equal_groups_is_seldom_told_from_the_next() -> None:
    """Ten equal groups and two: 5 % may be; more than 30 of 300 has a chance below 1 in 1,000."""
    rng = np.random.default_rng(4)
    for k in (2, 10):
        drawn = rng.binomial(200, 0.9, size=(300, k))
        assert sum(significance.runner_up_p(x, np.full(k, 200))[1] <= 0.05 for x in drawn) <= 30
    assert significance.runner_up_p([90, 50, 20], [100, 100, 100]) == (0, pytest.approx(0, abs=1e-6))
    assert significance.runner_up_p([90, 50, 20], [100, 100, 100], lowest=True)[0] == 2
    assert significance.runner_up_p([5, 0], [5, 0]) == (0, 1.0)


def test_paired_differences_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).normal(0.2, 1, 50)
    assert significance.mean_difference_p(values) == pytest.approx(ttest_1samp(values, 0).pvalue)
    assert significance.mean_difference_p(np.zeros(9)) == 1
    assert significance.mean_difference_p(np.full(9, 0.5)) == 0


def test_tails_between_whole_numbers_go_on_from_the_binomial():
    x = np.arange(0, 21)
    assert significance.binomial_upper_p(x, 20, 0.3) == pytest.approx(binom.sf(x - 1, 20, 0.3))
    assert significance.binomial_lower_p(x, 20, 0.3) == pytest.approx(binom.cdf(x, 20, 0.3))
    assert binom.sf(5, 20, 0.3) < significance.binomial_upper_p(5.5, 20, 0.3) < binom.sf(4, 20, 0.3)
