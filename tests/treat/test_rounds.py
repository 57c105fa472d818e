"""The order of the arms, failures and a time that runs out, with arms that are not trained."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.treat import cutmix, higher_resolution, mixup
from deepsight.treat.arms import Outcome
from deepsight.treat.rounds import run_arms, too_many
from deepsight.treat.treatment import CONTROL, Treatment

ARMS = [cutmix.treatment(), mixup.treatment(), higher_resolution.treatment()]


def outcome(treatment: Treatment, seed: int, failed: str = "") -> Outcome:
    rows = 0 if failed else 4
    return Outcome(treatment.name, seed, np.full((rows, 3), seed, dtype=np.float32), 10, 1.0, failed)


def test_seeds_run_round_by_round() -> None:
    order: list[tuple[str, int]] = []

    def run_one(treatment: Treatment, seed: int) -> Outcome:
        order.append((treatment.name, seed))
        return outcome(treatment, seed)

    ran = run_arms(ARMS[:1], 3, run_one, lambda: 1e9)
    assert order == [(name, seed) for seed in range(3) for name in ("control", "cutmix")]
    assert ran.predicted("cutmix").shape == (3, 4)


def test_a_failed_arm_is_reported_and_does_not_end_the_trial() -> None:
    def run_one(treatment: Treatment, seed: int) -> Outcome:
        return outcome(treatment, seed, "the loss is not finite" if treatment.name == "mixup" else "")

    ran = run_arms(ARMS, 5, run_one, lambda: 1e9)
    assert ran.failed == {"mixup": "the loss is not finite"}
    assert list(ran.outcomes) == ["control", "cutmix", "higher_resolution"]


def test_a_failed_control_ends_it() -> None:
    with pytest.raises(DeepSightError, match="control to train"):
        run_arms(ARMS, 5, lambda t, s: outcome(t, s, "no memory"), lambda: 1e9)


def test_the_last_treatments_are_given_up_when_time_is_short() -> None:
    arms = [CONTROL, *ARMS]
    costs = {arm.name: 10.0 for arm in arms}
    assert too_many(arms, costs, 4, left=160) == []
    assert [t.name for t in too_many(arms, costs, 4, left=125)] == ["higher_resolution"]
    assert [t.name for t in too_many(arms, costs, 4, left=0)] == ["higher_resolution", "mixup"]


def test_a_given_up_arm_says_why() -> None:
    ran = run_arms(ARMS, 2, outcome, lambda: -1.0)
    assert list(ran.outcomes) == ["control", "cutmix"]
    assert ran.left_out["mixup"] == "the time was up after 1 of 2 seeds"
