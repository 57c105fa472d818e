"""Plans keep to the budget, on machines with known speeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.core.errors import UsageError
from deepsight.model.hardware.throughput import Throughput
from deepsight.treat.trial.cost_model import (
    Demand,
    TrialSize,
    arm_steps,
    predict_seconds,
    rows_for,
)
from deepsight.treat.trial.trial_plan import fit_trial_plan, step_choices

SIZE = TrialSize(train=45_000, validation=5_000, test=10_000, batch=128, views=3, epochs=2.0)
CONTROL = Demand("control", "", 64)
ARMS = [
    Demand("cutmix", "", 64),
    Demand("higher", "", 96),
    Demand("deeper", "big", 64),
    Demand("deeper_epochs", "big", 64, same_epochs=True),
    Demand("mixup_images", "", 64, own_views=True),
]


def rates(backbone: str, resolution: int) -> Throughput:
    """Half as fast for the big one, and slower with the area."""
    factor = (0.5 if backbone == "big" else 1.0) * (64 / resolution) ** 2
    return Throughput(
        frozen=3500 * factor,
        view=3500 * factor,
        trainable=1500 * factor,
        step=450 * factor,
        map_bytes=5000,
        cells=2,
    )


@pytest.mark.slow
@given(st.floats(120, 20_000))
def test_a_plan_fits_its_budget(budget: float) -> None:
    try:
        plan = fit_trial_plan(CONTROL, ARMS, rates, SIZE, budget=budget, seeds=5)
    except UsageError:
        assert predict_seconds([CONTROL, ARMS[0]], min(step_choices(SIZE)), rates, SIZE, 5) > budget
        return
    assert plan.seconds <= budget
    assert list(plan.steps) == ["control", *[a.name for a in ARMS]][: len(plan.steps)]
    assert [*list(plan.steps)[1:], *plan.left_out] == [a.name for a in ARMS]


def test_twenty_minutes_hold_four_treatments_and_five_seeds() -> None:
    plan = fit_trial_plan(CONTROL, ARMS[:4], rates, SIZE, budget=1020, seeds=5)
    assert len(plan.steps) == 5
    assert not plan.left_out


def test_arms_cost_what_the_control_costs() -> None:
    for arm in ARMS:
        steps = arm_steps(arm, CONTROL, 200, rates)
        seconds = steps / rates(arm.backbone, arm.resolution).step
        same = 200 / rates("", 64).step
        assert seconds == pytest.approx(2 * same if arm.same_epochs else same, rel=0.01)


def test_more_time_never_gives_less() -> None:
    plans = [fit_trial_plan(CONTROL, ARMS, rates, SIZE, budget=b, seeds=5) for b in (600, 1200, 2400, 9000)]
    sizes = [(len(p.steps), p.steps["control"]) for p in plans]
    assert sizes == sorted(sizes)


def test_rows_are_passed_over_twice_and_never_exceed_the_data() -> None:
    assert rows_for(100, SIZE) == 6400
    assert rows_for(10**6, SIZE) == 45_000
    assert rows_for(1, SIZE) == 128


def test_a_budget_for_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="more minutes"):
        fit_trial_plan(CONTROL, ARMS, rates, SIZE, budget=5, seeds=5)
