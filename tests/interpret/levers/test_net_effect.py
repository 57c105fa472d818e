"""The net share is the gain over the control's errors, and its interval holds over images and trainings."""

from dataclasses import replace

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.interpret.levers.examined import choose_examined
from deepsight.interpret.levers.net_effect import net_effect, variances
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome, Spread
from made_levers import examined_of, outcome_of


def test_mended_minus_broken_over_errors() -> None:
    examined = examined_of(right=[0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    arm = np.array([[1, 1, 1, 0, 0, 1, 1, 1, 1, 1.0]])
    found = net_effect(outcome_of(examined, arm))
    assert (found.mended, found.broken) == (0.75, 0.25)
    assert found.net == pytest.approx(0.5)
    assert found.points == pytest.approx(0.2)


def test_weights_stand_for_images_that_were_not_examined() -> None:
    examined = examined_of(right=[0, 0, 1, 1], weights=[1, 1, 5, 5])
    arm = np.array([[1, 0, 0, 1.0]])
    found = net_effect(outcome_of(examined, arm))
    assert found.net == pytest.approx((1 - 5) / 2)
    assert found.points == pytest.approx(-4 / 12)


def test_nothing_changed_is_nothing() -> None:
    examined = examined_of(right=[0, 1, 1])
    found = net_effect(outcome_of(examined, np.array([[0, 1, 1.0]])))
    assert (found.net, found.low, found.high, found.p_value) == (0, 0, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("r", [2, 4])
def test_the_interval_covers_the_true_effect(r: int) -> None:
    """Images and trainings both vary: 95 % intervals must hold in about 95 of 100 worlds."""
    rng = np.random.default_rng(0)
    covered, worlds, n = 0, 200, 600
    for _ in range(worlds):
        ease = rng.normal(1.0, 1.5, n)  # of each image
        own = ease + rng.normal(0, 1, n) > 0
        shake = rng.normal(0, 0.12, (2, r, 1))  # what a training shares between all images
        logits = ease + shake + rng.normal(0, 1, (2, r, n))
        examined = examined_of(right=own.astype(int).tolist())
        arm, control = (logits > 0).astype(float)
        found = net_effect(outcome_of(examined, arm, control))
        covered += found.low <= 0 <= found.high
    assert covered / worlds >= 0.9


def test_a_few_errors_that_change_on_a_two_phase_sample_show_nothing() -> None:
    """Every margin moves a little by chance; of the correct images few are drawn, so often none breaks."""
    alarms, worlds = 0, 200
    for seed in range(worlds):
        rng = np.random.default_rng([6, seed])
        margins = rng.normal(1.2, 1.0, 5_000)
        logits = np.stack([np.zeros_like(margins), 3 * margins], axis=1)
        examined = choose_examined(np.ones(len(margins), dtype=np.int64), logits, 300, seed=seed)
        after = margins[examined.rows] + 0.03 * rng.normal(size=len(examined))
        found = net_effect(outcome_of(examined, (after > 0).astype(float)[None]))
        alarms += found.low > 0
    assert alarms / worlds <= 0.025


def test_few_changed_images_make_no_effect_certain() -> None:
    """Fifteen images of 300 change by chance: at most 6 in 100 worlds, and two standard errors, say more."""
    rng = np.random.default_rng(5)
    alarms, worlds = 0, 300
    for _ in range(worlds):
        right = (rng.random(300) > 0.15).astype(int)
        arm, control = (np.where(rng.random((2, 300)) < 0.025, 1 - right, right) for _ in range(2))
        found = net_effect(outcome_of(examined_of(right=right.tolist()), arm.astype(float), control))
        alarms += found.p_value <= 0.05
    assert alarms / worlds <= 0.06 + 2 * (0.05 * 0.95 / worlds) ** 0.5


def test_a_single_training_of_the_arm_borrows_its_controls_spread() -> None:
    rng = np.random.default_rng(1)
    examined = examined_of(right=rng.integers(2, size=300).tolist())
    control = (rng.random((4, 300)) + rng.normal(0, 0.2, (4, 1)) > 0.5).astype(float)
    alone = net_effect(outcome_of(examined, control[:1], control[1:]))
    fixed = net_effect(outcome_of(examined, control[:1], control[1:2]))
    assert alone.error > fixed.error
    assert alone.freedom < np.inf


def test_a_factor_scales_the_effect_and_widens_it() -> None:
    examined = examined_of(right=[0, 0, 0, 1, 1, 1])
    arm = np.array([[1, 1, 0, 1, 1, 1.0]])
    plain = net_effect(outcome_of(examined, arm))
    scaled = net_effect(outcome_of(examined, arm, factor=(0.5, 0.2)))
    assert scaled.net == pytest.approx(plain.net / 2)
    assert scaled.error > plain.error / 2


def test_replicates_of_another_shape_are_refused() -> None:
    examined = examined_of(right=[0, 1])
    with pytest.raises(DeepSightError, match="replicates of the arm"):
        outcome_of(examined, np.zeros((1, 3)))
    with pytest.raises(DeepSightError, match="at least 1"):
        ExaminedImages(np.arange(2), np.zeros(2, np.int64), np.zeros((2, 2)), np.array([1, 0.5]), 2)


def test_members_add_the_spread_between_trainings() -> None:
    rng = np.random.default_rng(2)
    labels = np.zeros(500, dtype=np.int64)
    logits = rng.normal(0, 1, (4, 500, 2)) + rng.normal(0, 0.5, (1, 500, 2)) + np.array([0.8, 0])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    examined = ExaminedImages(np.arange(500), labels, logits[0], np.ones(500), 500)
    arm = examined.right(probabilities.mean(axis=0))[None]
    control = examined.right(probabilities)
    without = LeverOutcome("a", "", "", examined, arm, control[:1], "")
    found = LeverOutcome("a", "", "", examined, arm, control, "", members=probabilities)
    of_training = [variances(each, np.zeros(500), 100.0)[1] for each in (without, found)]
    assert of_training[0] == 0 < of_training[1]
    assert net_effect(found).net > 0


def test_a_single_training_borrows_the_spread_of_others() -> None:
    """One training of either side: alone, the interval covers images only, and misses the truth too often."""
    rng = np.random.default_rng(3)
    covered, alone, worlds, n = 0, 0, 150, 600
    for _ in range(worlds):
        ease = rng.normal(1.0, 1.5, n)
        logits = ease + rng.normal(0, 0.3, (7, 1)) + rng.normal(0, 1, (7, n))
        right = (logits > 0).astype(float)
        examined = examined_of(right=right[0].astype(int).tolist())
        spread = Spread().joined(right[3:], examined.weights)
        outcome = outcome_of(examined, right[1:2], right[2:3], paired=True)
        borrowing = net_effect(replace(outcome, spread=spread))
        covered += borrowing.low <= 0 <= borrowing.high
        plain = net_effect(outcome)
        alone += plain.low <= 0 <= plain.high
    assert alone / worlds < 0.7
    assert covered / worlds >= 0.9


def test_spreads_are_pooled_by_their_degrees_of_freedom() -> None:
    weights = np.ones(4)
    two = Spread().joined(np.array([[1, 1, 1, 0], [1, 1, 0, 0.0]]), weights)
    assert two.freedom == 1
    assert two.variance == pytest.approx(0.25**2 / 2)
    assert two.joined(np.zeros((3, 4)), weights).freedom == 3
    assert two.joined(np.zeros((3, 4)), weights).variance == pytest.approx(two.variance / 3)
