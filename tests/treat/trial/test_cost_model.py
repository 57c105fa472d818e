"""What arms cost, on a machine with known speeds."""

import pytest

from deepsight.treat.trial.cost_model import arm_steps, rows_for
from made_demands import CONTROL, DEMANDS, SIZE, known_speeds


def test_arms_cost_what_the_control_costs() -> None:
    for arm in DEMANDS:
        steps = arm_steps(arm, CONTROL, 200, known_speeds)
        seconds = steps / known_speeds(arm.backbone, arm.resolution).step
        same = 200 / known_speeds("", 64).step
        assert seconds == pytest.approx(2 * same if arm.same_epochs else same, rel=0.01)


def test_rows_are_passed_over_twice_and_never_exceed_the_data() -> None:
    assert rows_for(100, SIZE) == 6400
    assert rows_for(10**6, SIZE) == 45_000
    assert rows_for(1, SIZE) == 128
