"""Each interval against a second formula, a simulation or a library."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score

from deepsight.core import statistics

counts = st.integers(0, 400)


def noisy(labels: np.ndarray, k: int, error: float, seed: int) -> np.ndarray:
    """Predictions that are the labels, but for a share of errors that fall anywhere."""
    rng = np.random.default_rng(seed)
    wrong = (labels + rng.integers(1, k, size=len(labels))) % k
    return np.where(rng.random(len(labels)) < error, wrong, labels)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(5, size=600)


def test_macro_f1_and_counts_are_those_of_scikit_learn(labels: np.ndarray) -> None:
    predicted = noisy(labels, 5, 0.3, 2)
    assert statistics.macro_f1(labels, predicted, 5) == pytest.approx(
        f1_score(labels, predicted, average="macro")
    )
    assert (statistics.confusion_counts(labels, predicted, 5) == confusion_matrix(labels, predicted)).all()


def test_a_class_without_labels_and_predictions_counts_as_zero() -> None:
    labels = np.array([0, 1, 1])
    assert statistics.macro_f1(labels, labels, 4) == 0.5


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


def test_bootstrap_agrees_with_a_plain_resampling_of_images(labels: np.ndarray) -> None:
    predicted = noisy(labels, 5, 0.25, 3)
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(labels == c) for c in range(5)]
    plain = []
    for _ in range(1500):
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        plain.append(statistics.macro_f1(labels[rows], predicted[rows], 5))
    interval = statistics.bootstrap_macro_f1(labels, predicted, 5, seed=0)
    assert (interval.low, interval.high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.004)
    assert interval.value == pytest.approx(statistics.macro_f1(labels, predicted, 5))


def test_bootstrap_of_a_perfect_model_has_no_width(labels: np.ndarray) -> None:
    assert statistics.bootstrap_macro_f1(labels, labels, 5, seed=0) == (1, 1, 1)


def test_bootstrap_covers_the_true_score() -> None:
    """95 % intervals over 200 made test sets; below 89 % has a probability of about 1 in 2,000."""
    labels = np.repeat(np.arange(4), 200)
    truth = statistics.macro_f1(np.tile(labels, 500), noisy(np.tile(labels, 500), 4, 0.2, 9), 4)
    intervals = [
        statistics.bootstrap_macro_f1(labels, noisy(labels, 4, 0.2, 10 + i), 4, draws=400, seed=i)
        for i in range(200)
    ]
    assert np.mean([i.low <= truth <= i.high for i in intervals]) > 0.89


def test_paired_difference_is_tighter_than_two_intervals_and_sees_a_gain(labels: np.ndarray) -> None:
    control = noisy(labels, 5, 0.3, 4)
    mended = np.where(np.arange(600) % 3 == 0, labels, control)
    effect = statistics.paired_difference(labels, control, mended, 5, seed=0)
    apart = [statistics.bootstrap_macro_f1(labels, p, 5, seed=0) for p in (control, mended)]
    assert 0 < effect.low < effect.value < effect.high
    assert effect.p_value < 0.01
    assert effect.high - effect.low < sum(i.high - i.low for i in apart) / 2
    assert effect.minimum_detectable < effect.value


def test_equal_predictions_differ_by_nothing(labels: np.ndarray) -> None:
    predicted = noisy(labels, 5, 0.3, 5)
    effect = statistics.paired_difference(labels, predicted, predicted, 5, seed=0)
    assert effect == (0, 0, 0, 1, 0)


def test_paired_difference_keeps_its_false_alarm_rate() -> None:
    """100 pairs of equally good models; more than 13 alarms at 5 % has a probability below 1 in 1,000."""
    labels = np.repeat(np.arange(4), 100)
    alarms = [
        statistics.paired_difference(
            labels, noisy(labels, 4, 0.2, 2 * i), noisy(labels, 4, 0.2, 2 * i + 1), 4, draws=300, seed=i
        ).p_value
        <= 0.05
        for i in range(100)
    ]
    assert sum(alarms) <= 13


def test_hierarchical_interval_holds_both_seeds_and_images(labels: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    control = np.stack([noisy(labels, 5, 0.3, 20 + i) for i in range(6)])
    gain = rng.random((6, len(labels))) < np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5])[:, None]
    treatment = np.where(gain, labels, control)
    effect = statistics.hierarchical_difference(labels, control, treatment, 5, seed=0)
    each = [
        statistics.paired_difference(labels, c, t, 5, seed=0) for c, t in zip(control, treatment, strict=True)
    ]
    assert effect.value == pytest.approx(np.mean([e.value for e in each]))
    between = np.std([e.value for e in each], ddof=1) / np.sqrt(6)
    assert (effect.high - effect.low) / 3.92 > 0.9 * between


def test_hierarchical_difference_keeps_its_false_alarm_rate() -> None:
    """60 null comparisons of 5 seeds; more than 9 alarms at 5 % has a probability below 1 in 1,000."""
    labels = np.repeat(np.arange(3), 60)
    arms = [np.stack([noisy(labels, 3, 0.2, 10 * i + j) for j in range(10)]) for i in range(60)]
    effects = [
        statistics.hierarchical_difference(labels, arm[:5], arm[5:], 3, draws=200, seed=0) for arm in arms
    ]
    assert sum(not e.low <= 0 <= e.high for e in effects) <= 9


def test_hierarchical_difference_refuses_one_seed(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="s ≥ 2"):
        statistics.hierarchical_difference(labels, labels[None], labels[None], 5, seed=0)


def test_minimum_detectable_difference_is_that_of_the_normal_power_formula() -> None:
    assert statistics.minimum_detectable(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert statistics.minimum_detectable(1.0, power=0.5) == pytest.approx(1.959964, abs=1e-6)
