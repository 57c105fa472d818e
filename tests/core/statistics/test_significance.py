"""Each test against a second implementation, and its false alarms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, false_discovery_control, permutation_test, ttest_1samp

from deepsight.core.statistics import significance


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_is_that_of_scipy(p_values: list[float]) -> None:
    ours = significance.benjamini_hochberg(p_values)
    assert ours == pytest.approx(false_discovery_control(p_values), abs=1e-12)
    assert (ours >= np.asarray(p_values) - 1e-12).all()


def test_benjamini_hochberg_of_no_tests_is_empty() -> None:
    assert len(significance.benjamini_hochberg([])) == 0


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 9), (12, 12), (0, 24)])
def test_mcnemar_is_exact_below_25_discordant(b: int, c: int) -> None:
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert significance.discordance_p(b, c) == pytest.approx(expected)


def test_mcnemar_is_near_the_exact_test_above() -> None:
    assert significance.discordance_p(130, 170) == pytest.approx(binomtest(130, 300).pvalue, abs=0.005)


def test_mcnemar_counts_and_states_what_could_be_seen() -> None:
    labels = np.zeros(10_000, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[:180] = 1
    second[100:220] = 1
    found = significance.mcnemar(labels, first, second)
    assert (found.only_first, found.only_second) == (40, 100)
    assert found.difference == pytest.approx(0.006)
    assert found.p_value < 0.001
    assert found.difference > found.threshold


def test_300_discordant_of_10000_have_a_threshold_of_a_third_of_a_point() -> None:
    labels = np.zeros(10_000, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[:150], second[150:300] = 1, 1
    assert significance.mcnemar(labels, first, second).threshold == pytest.approx(0.0034, abs=0.00005)


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


@pytest.mark.slow
def test_the_interval_of_a_paired_difference_covers_it() -> None:
    """400 made test sets of 60 images with a true difference of 5 points; 92 % is four errors below 95 %."""
    rng = np.random.default_rng(3)
    labels = np.zeros(60, dtype=np.int64)
    covered = 0
    for _ in range(400):
        kind = rng.choice(4, size=60, p=[0.05, 0.1, 0.05, 0.8])
        found = significance.mcnemar(labels, np.isin(kind, [1, 2]) * 1, np.isin(kind, [0, 2]) * 1)
        covered += found.low <= 0.05 <= found.high
    assert 0.915 <= covered / 400 <= 0.985
    none = significance.mcnemar(labels, labels, labels)
    assert none.low < 0 < none.high


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


def test_images_of_one_group_are_one_opinion():
    labels = np.zeros(200, dtype=np.int64)
    first, second = np.zeros(200, dtype=np.int64), np.zeros(200, dtype=np.int64)
    first[:40] = 1  # mended by the second model, all of one patient
    alone, patient = np.arange(200), np.where(np.arange(200) < 40, 0, np.arange(200))
    each = significance.grouped_mcnemar(labels, first, second, alone)
    assert each.p_value == pytest.approx(significance.mcnemar(labels, first, second).p_value, abs=1e-6)
    assert (each.low, each.high) == pytest.approx(
        (significance.mcnemar(labels, first, second).low, significance.mcnemar(labels, first, second).high),
        abs=0.002,
    )
    together = significance.grouped_mcnemar(labels, first, second, patient)
    assert together.p_value > 0.2
    assert together.low < 0 < together.difference == each.difference
    assert significance.grouped_mcnemar(labels, first, first, patient).p_value == 1.0
