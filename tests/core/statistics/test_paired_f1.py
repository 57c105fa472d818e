"""Differences in macro-F1 against closed forms and simulations with a known truth."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from deepsight.core.statistics.macro_f1 import macro_f1_interval
from deepsight.core.statistics.paired_f1 import paired_f1, paired_macro_f1
from noisy_predictions import noisy


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(5, size=600)


def test_a_paired_difference_is_tighter_than_two_intervals_and_sees_a_gain(labels: np.ndarray) -> None:
    control = noisy(labels, 5, 0.3, 4)
    mended = np.where(np.arange(600) % 3 == 0, labels, control)
    effect = paired_macro_f1(labels, control, mended, 5)
    apart = [macro_f1_interval(labels, p, 5) for p in (control, mended)]
    assert effect.value == pytest.approx(apart[1].value - apart[0].value)
    assert 0 < effect.low < effect.value < effect.high
    assert effect.p_value < 0.01
    assert effect.high - effect.low < sum(i.high - i.low for i in apart) / 2
    assert effect.minimum_detectable < effect.value


def test_equal_predictions_differ_by_nothing_and_the_interval_says_how_surely(labels: np.ndarray) -> None:
    predicted = noisy(labels, 5, 0.3, 5)
    effect = paired_macro_f1(labels, predicted, predicted, 5)
    assert (effect.value, effect.p_value) == (0, 1)
    assert 0 < effect.high == -effect.low < 0.01  # the rule of three gives 3 / 600


def test_paired_differences_keep_their_false_alarm_rate() -> None:
    """200 pairs of equally good models; more than 20 alarms at 5 % has a chance below 1 in 1,000."""
    labels = np.repeat(np.arange(4), 100)
    pairs = ((noisy(labels, 4, 0.2, 2 * i), noisy(labels, 4, 0.2, 2 * i + 1)) for i in range(200))
    assert sum(paired_macro_f1(labels, a, b, 4).p_value <= 0.05 for a, b in pairs) <= 20


def trial(rng: np.random.Generator, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and two arms (5, 300) of one kind whose seeds differ in skill by `spread` (log-odds)."""
    labels = np.repeat(np.arange(3), 100)
    hard = rng.normal(-2.4, 2, 300)
    skill = spread * rng.standard_normal((10, 1))
    wrong = rng.random((10, 300)) < 1 / (1 + np.exp(-(hard + skill)))
    arms = np.where(wrong, (labels + 1) % 3, labels)
    return labels, arms[:5], arms[5:]


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.15, 0.5])
def test_trials_over_seeds_keep_their_false_alarm_rate(spread: float) -> None:
    """300 null trials; more than 29 alarms at 6 % has a chance of about 1 in 100."""
    rng = np.random.default_rng(5)
    alarms = [paired_macro_f1(*trial(rng, spread), 3).p_value <= 0.05 for _ in range(300)]
    assert sum(alarms) <= 29
    assert spread == 0 or sum(alarms) >= 4


@pytest.mark.slow
def test_noise_of_single_trainings_on_single_images_is_counted_once() -> None:
    """Without a difference between seeds the interval is near that of the images alone."""
    rng = np.random.default_rng(6)
    effects = [paired_macro_f1(*trial(rng, 0.0), 3) for _ in range(200)]
    deviation = np.std([e.value for e in effects])
    assert np.mean([e.high - e.low for e in effects]) / 2 < 1.5 * 1.96 * deviation


def test_seeds_that_differ_widen_the_interval() -> None:
    labels = np.repeat(np.arange(3), 100)
    control = np.stack([noisy(labels, 3, 0.3, i) for i in range(5)])
    gain = np.random.default_rng(6).random((5, 300)) < np.array([0, 0.15, 0.3, 0.45, 0.6])[:, None]
    treatment = np.where(gain, labels, control)
    effect = paired_macro_f1(labels, control, treatment, 3)
    each = [paired_macro_f1(labels, c, t, 3).value for c, t in zip(control, treatment, strict=True)]
    assert effect.value == pytest.approx(np.mean(each))
    assert (effect.high - effect.low) / 2 > 2.5 * np.std(each, ddof=1) / np.sqrt(5)


def test_one_class_has_an_effect_of_its_own() -> None:
    labels = np.repeat(np.arange(3), 200)
    control = noisy(labels, 3, 0.2, 1)
    mended = np.where(labels == 1, labels, control)
    of_class = paired_f1(labels, control, mended, np.array([0.0, 1.0, 0.0]))
    scores = [f1_score(labels, p, average=None)[1] for p in (control, mended)]
    assert of_class.value == pytest.approx(scores[1] - scores[0])
    assert of_class.low > 0


def test_other_shapes_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one shape"):
        paired_macro_f1(labels, labels[None], np.stack([labels, labels]), 5)


@pytest.mark.filterwarnings("error")
def test_a_class_that_nothing_is_and_nothing_is_called_moves_no_interval() -> None:
    """Of three classes two have images: the third one changes nothing."""
    labels = np.repeat([0, 1], 50)
    control, treatment = (noisy(labels, 2, error, seed) for error, seed in ((0.3, 1), (0.1, 2)))
    two, three = (paired_macro_f1(labels, control, treatment, k) for k in (2, 3))
    assert [three.value, three.low, three.high] == pytest.approx([two.value, two.low, two.high], rel=0.02)
    interval = macro_f1_interval(labels, control, 3)
    assert 0 <= interval.low < interval.value < interval.high <= 1
