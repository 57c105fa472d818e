"""The order of the arms, failures and a time that runs out, with arms that are not trained."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.treat.treatments import capacity, mixing
from deepsight.treat.treatments.base import Treatment
from deepsight.treat.trial import schedule
from deepsight.treat.trial.schedule import ScheduledArm, run_arms, too_many
from deepsight.treat.trial.store import ArmResult

ARMS = [mixing.cutmix_treatment(), mixing.mixup_treatment(), capacity.higher_resolution_treatment()]


def outcome(treatment: Treatment, seed: int, failed: str = "") -> ArmResult:
    rows = 0 if failed else 4
    return ArmResult(treatment.name, seed, np.full((rows, 3), seed, dtype=np.float32), 10, 1.0, failed)


def test_seeds_run_round_by_round() -> None:
    order: list[tuple[str, int]] = []

    def run_one(treatment: Treatment, seed: int) -> ArmResult:
        order.append((treatment.name, seed))
        return outcome(treatment, seed)

    results = run_arms(ARMS[:1], 3, run_one, lambda: 1e9)
    assert order == [(name, seed) for seed in range(3) for name in ("control", "cutmix")]
    assert results.predicted("cutmix").shape == (3, 4)


def test_a_failed_arm_is_reported_and_does_not_end_the_trial() -> None:
    def run_one(treatment: Treatment, seed: int) -> ArmResult:
        return outcome(treatment, seed, "the loss is not finite" if treatment.name == "mixup" else "")

    results = run_arms(ARMS, 5, run_one, lambda: 1e9)
    assert results.failed == {"mixup": "the loss is not finite"}
    assert list(results.outcomes) == ["control", "cutmix", "higher_resolution"]


def test_a_failed_control_ends_it() -> None:
    with pytest.raises(DeepSightError, match="control to train"):
        run_arms(ARMS, 5, lambda t, s: outcome(t, s, "no memory"), lambda: 1e9)


def test_the_last_treatments_are_given_up_when_time_is_short() -> None:
    costs = [40.0] * 4
    assert too_many(costs, left=160) == 0
    assert too_many(costs, left=125) == 1
    assert too_many(costs, left=0) == 2
    assert too_many([0.0] * 4, left=-1) == 0  # nothing was measured yet


def test_what_was_given_up_is_taken_up_again_if_there_is_time_after_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the second seed there seems to be time for two arms; at the end there is plenty."""
    times = iter([1e9, 4.0])
    order: list[tuple[str, int]] = []
    clock = [0.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: clock[0])

    def run_one(treatment: Treatment, seed: int) -> ArmResult:
        clock[0] += 1.0
        order.append((treatment.name, seed))
        return outcome(treatment, seed)

    results = run_arms(ARMS[:2], 3, run_one, lambda: next(times, 1e9))
    assert not results.left_out
    assert [name for name, _ in order] == [
        "control", "cutmix", "mixup", "control", "cutmix", "control", "cutmix", "mixup", "mixup",
    ]  # fmt: skip
    assert results.predicted("mixup").shape == (3, 4)


def test_one_disturbed_seed_does_not_decide() -> None:
    arm = ScheduledArm(ARMS[0], 5, outcome)
    arm.costs = [10.0, 90.0, 12.0]
    arm.outcomes = [outcome(ARMS[0], seed) for seed in range(3)]
    assert arm.cost_left == 24.0


def test_what_is_made_once_is_not_expected_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first seed takes 100 seconds an arm, of which one is training; ten seconds are left."""
    clock = [0.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: clock[0])

    def run_one(treatment: Treatment, seed: int) -> ArmResult:
        clock[0] += 100.0 if seed == 0 else 1.0
        return outcome(treatment, seed)

    assert not run_arms(ARMS, 2, run_one, lambda: 10.0).left_out
    assert "higher_resolution" in run_arms(ARMS, 2, run_one, lambda: 0.5).left_out


def test_a_given_up_arm_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(100.0))  # a second passes between any two looks at it
    monkeypatch.setattr(schedule.time, "monotonic", lambda: next(clock))
    results = run_arms(ARMS, 2, outcome, lambda: -1.0)
    assert list(results.outcomes) == ["control", "cutmix"]
    assert results.left_out["mixup"] == "time ran out after 1 of 2 seeds"


def test_stored_arms_are_read_although_the_time_is_up() -> None:
    assert list(run_arms(ARMS, 5, outcome, lambda: -1.0).outcomes) == ["control", *(arm.name for arm in ARMS)]
