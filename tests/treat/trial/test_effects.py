"""Effects against scikit-learn, scipy and formulas by hand; planted effects and clean controls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from deepsight.core.statistics import Effect, hierarchical_difference, macro_f1
from deepsight.treat.treatments.base import Target
from deepsight.treat.trial.effects import (
    class_f1,
    for_few_seeds,
    holm,
    image_draws,
    macro_effect,
    mean_class_f1,
    score_effects,
    target_score,
)
from made_arms import noisy

LABELS = np.repeat(np.arange(3), 300).astype(np.int64)


WEIGHTS = image_draws(LABELS, 500, seed=0)


def arms(rates: list[float], seeds: int = 5, first: int = 0) -> np.ndarray:
    return np.stack([noisy(LABELS, rates, first + s) for s in range(seeds)])


def test_class_f1_is_scikit_learns() -> None:
    predicted = noisy(LABELS, [0.1, 0.4, 0.2], 7)
    ours = class_f1(LABELS, 3)(predicted, np.ones((1, 900)))[0]
    assert ours == pytest.approx(f1_score(LABELS, predicted, average=None))


def test_weights_act_as_repeated_images() -> None:
    predicted = noisy(LABELS, [0.1, 0.4, 0.2], 7)
    weights = image_draws(LABELS, 1, seed=0)[1:]
    rows = np.repeat(np.arange(900), weights[0].astype(int))
    expected = f1_score(LABELS[rows], predicted[rows], average=None)
    assert class_f1(LABELS, 3)(predicted, weights)[0] == pytest.approx(expected)


def test_draws_keep_the_size_of_each_class() -> None:
    weights = image_draws(LABELS, 20, seed=1)
    assert (weights.reshape(21, 3, 300).sum(axis=2) == 300).all()
    assert (weights[0] == 1).all()
    assert weights[1:].max() > 1


def test_all_classes_together_are_macro_f1() -> None:
    control, arm = arms([0.3, 0.3, 0.3]), arms([0.2, 0.3, 0.3], first=50)
    score = mean_class_f1(LABELS, 3, [0, 1, 2])
    together = score_effects(score, WEIGHTS, control, arm, level=0.95, seed=0)[0]
    macro = macro_effect(LABELS, control, arm, 3, level=0.95, seed=0)
    assert together.value == pytest.approx(macro.value)
    assert together.high - together.low == pytest.approx(macro.high - macro.low, rel=0.2)


def test_a_pair_is_scored_by_the_f1_of_both_classes() -> None:
    predicted = noisy(LABELS, [0.2, 0.4, 0.1], 3)
    found = target_score(Target(pairs=((0, 2),)), LABELS, 3)(predicted, np.ones((1, len(LABELS))))
    expected = f1_score(LABELS, predicted, labels=[0, 2], average="macro")
    assert found == pytest.approx(np.array([[expected]]))


def test_a_model_that_never_names_a_pair_is_no_good_for_it() -> None:
    score, once = target_score(Target(pairs=((0, 1),)), LABELS, 3), np.ones((1, len(LABELS)))
    assert score(np.full_like(LABELS, 2), once) == 0
    assert score(LABELS, once) == 1


def test_a_planted_gain_in_one_class_is_found_there_and_overall() -> None:
    control, arm = arms([0.1, 0.1, 0.4]), arms([0.1, 0.1, 0.1])
    macro = macro_effect(LABELS, control, arm, 3, level=0.95, seed=0)
    score = target_score(Target(classes=(2,)), LABELS, 3)
    cat = score_effects(score, WEIGHTS, control, arm, level=0.95, seed=0)[0]
    assert macro.p_value < 0.01
    assert macro.low > 0
    assert cat.value > macro.value


def test_target_of_everything_is_macro_f1() -> None:
    predicted = noisy(LABELS, [0.1, 0.4, 0.2], 7)
    value = target_score(Target(), LABELS, 3)(predicted, np.ones((1, 900)))
    assert value == pytest.approx(np.array([[macro_f1(LABELS, predicted, 3)]]))


def test_equal_arms_have_no_effect() -> None:
    control = arms([0.3] * 3)
    effect = macro_effect(LABELS, control, control, 3, level=0.95, seed=0)
    assert effect == Effect(0.0, 0.0, 0.0, 1.0, 0.0)


def test_few_seeds_widen_the_interval_to_students() -> None:
    """Where all variance is between seeds, the degrees of freedom are s - 1."""
    each = np.array([0.01, 0.03, 0.02, 0.05, 0.00])
    error = float(each.std(ddof=1) / np.sqrt(5))
    detectable = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * error
    effect = for_few_seeds(Effect(float(each.mean()), 0.0, 0.0, 0.0, detectable), each, 0.95)
    assert effect.p_value == pytest.approx(stats.ttest_1samp(each, 0).pvalue)
    low, high = stats.t.interval(0.95, 4, loc=each.mean(), scale=error)
    assert (effect.low, effect.high) == pytest.approx((low, high))


def test_seeds_without_variance_leave_the_normal_interval() -> None:
    each = np.full(5, 0.02)
    effect = for_few_seeds(Effect(0.02, 0.0, 0.0, 0.0, 0.028), each, 0.95)
    error = 0.028 / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert effect.p_value == pytest.approx(2 * stats.norm.sf(0.02 / error))


@pytest.mark.slow
def test_false_alarms_stay_near_the_level() -> None:
    """Arms of one kind: 5 % may be called different; 100 trials give at most 10 with a chance of 0.99."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 60).astype(np.int64)
    alarms = 0
    for trial in range(100):
        control, arm = (
            np.where(rng.random((5, 180)) < 0.25, (labels + 1) % 3, labels).astype(np.int64) for _ in range(2)
        )
        effect = hierarchical_difference(labels, control, arm, 3, draws=300, seed=trial)
        each = [macro_f1(labels, b, 3) - macro_f1(labels, a, 3) for a, b in zip(control, arm, strict=True)]
        alarms += for_few_seeds(effect, np.asarray(each), 0.95).p_value <= 0.05
    assert alarms <= 10


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_step_down_formula(p_values: list[float]) -> None:
    m = len(p_values)
    ordered = sorted(p_values)
    expected = [max(min(1.0, ordered[j] * (m - j)) for j in range(i + 1)) for i in range(m)]
    assert sorted(holm(p_values)) == pytest.approx(sorted(expected))
    assert (holm(p_values) >= np.asarray(p_values) - 1e-15).all()


def test_holm_keeps_places() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]).shape == (0,)
