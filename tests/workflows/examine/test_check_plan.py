"""Minutes go where they buy evidence: planned with given rates and a clock that stands still."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.interpret.inputs import SampleSizes
from deepsight.workflows.examine.budget import PREDICTED, REPORT, TimeBudget
from deepsight.workflows.examine.check_costs import Scope
from deepsight.workflows.examine.check_plan import (
    CheckPlan,
    affordable_rungs,
    pending_ladders,
    seconds_to_predict,
)
from deepsight.workflows.examine.pace import Pace

MANY = Scope(n=5000, errors=600, sure=2200, sure_classes=10, swappable=True, train=0, k=10)
FEW = Scope(n=40, errors=4, sure=18, sure_classes=4, swappable=True, train=0, k=4)
PACES = [
    Pace(image, gradient and gradient * image, mask, 6 if gradient else 2, 4 if gradient else 1)
    for image in (1e-4, 0.003, 0.03, 0.1, 1.0)
    for mask in (0.005, 0.1)
    for gradient in (3, None)
]
NETWORK = Pace(image=0.1, gradient=0.3, mask=0.01, methods=6, mosaic=4)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def plan_of(pace: Pace, scope: Scope, *, minutes: float, spent: float = 0.0) -> CheckPlan:
    clock = Clock()
    budget = TimeBudget(minutes, clock)
    clock.now = spent
    return CheckPlan(budget, pace, scope)


def made(sizes: SampleSizes) -> set[str]:
    counts = {
        "degradation": sizes.degradation_images, "context": sizes.context_objects,
        "maps": sizes.faithfulness_images,
    }  # fmt: skip
    return {name for name, count in counts.items() if count}


@pytest.mark.parametrize("minutes", [0.05, 0.5, 5, 60])
@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("scope", [MANY, FEW])
def test_the_minutes_are_kept_and_used(minutes: float, pace: Pace, scope: Scope) -> None:
    left = TimeBudget(minutes, Clock()).left()
    ladders = pending_ladders("ambiguity", pace, scope)
    taken = affordable_rungs(ladders, left)
    costs = {
        ladder.check: ladder.rungs[taken[ladder.check]].seconds for ladder in ladders if ladder.check in taken
    }
    assert sum(costs.values()) <= left
    for ladder in ladders:  # whatever is left would not buy the next step of any check
        place = taken.get(ladder.check, -1) + 1
        if place < len(ladder.rungs):
            assert ladder.rungs[place].seconds - costs.get(ladder.check, 0.0) > left - sum(costs.values())


def test_five_minutes_buy_forty_images_of_a_slow_network_all_checks_that_fit() -> None:
    slow = plan_of(NETWORK, FEW, minutes=5, spent=30).sizes_at("degradation")
    assert {"degradation", "context"} <= made(slow)
    quick = plan_of(replace(NETWORK, image=0.03, gradient=0.09), FEW, minutes=5, spent=30)
    assert made(quick.sizes_at("degradation")) == {"degradation", "context", "maps"}


def test_what_does_not_fit_says_how_many_minutes_it_would_take() -> None:
    before = plan_of(NETWORK, MANY, minutes=5, spent=100)
    sizes = before.sizes_at("degradation")
    assert "maps" not in made(sizes)
    reason = sizes.reason("maps")
    assert "30 images for the checks of the maps" in reason
    minutes = int(reason.rsplit("--minutes ", 1)[1].rstrip("."))
    # The parts before the checks take their shares of these minutes, too.
    spent = 100 + (minutes - 5) * 60 * (1 - TimeBudget(5).usable - REPORT)
    assert "maps" in made(plan_of(NETWORK, MANY, minutes=minutes, spent=spent).sizes_at("degradation"))
    assert minutes < 60


def test_more_minutes_never_take_a_check_away() -> None:
    for pace in PACES:
        seen: set[str] = set()
        for minutes in (0.2, 0.5, 1, 2, 5, 10, 30, 100):
            now = made(plan_of(pace, MANY, minutes=minutes).sizes_at("degradation"))
            assert seen <= now
            seen = now


def test_the_time_of_a_check_that_was_refused_goes_to_the_next() -> None:
    clock = Clock()
    pace = replace(NETWORK, image=0.01, gradient=0.03)
    plan = CheckPlan(TimeBudget(6, clock), pace, MANY)
    clock.now = 60
    planned = plan.sizes_at("degradation").faithfulness_images
    clock.now += 60  # of robustness; the background test then ends at once
    assert plan.sizes_at("maps").faithfulness_images > planned


def test_maps_that_did_not_fit_are_made_after_all() -> None:
    clock = Clock()
    plan = CheckPlan(TimeBudget(8, clock), NETWORK, replace(MANY, errors=20, sure_classes=2))
    clock.now = 30
    assert "maps" not in made(plan.sizes_at("choice"))
    assert "context" in made(plan.sizes_at("context"))
    assert "maps" in made(plan.sizes_at("late choice"))  # the background test refused these images


def test_the_plan_is_said_once_in_words() -> None:
    said: list[str] = []
    plan = replace(plan_of(replace(NETWORK, image=1e-4, gradient=3e-4), FEW, minutes=5), log=said.append)
    for step in ("ambiguity", "degradation", "choice", "context", "maps"):
        plan.sizes_at(step)  # type: ignore[arg-type]
    assert len(said) == 1
    assert said[0].startswith("Plan: corruption robustness on 40 images, background on 40 images, maps")
    assert said[0].endswith("Every check has all the images that it can use.")


def test_predictions_take_half_of_what_the_smallest_samples_leave() -> None:
    data = Dataset(np.zeros((400, 8, 8, 3), np.uint8), np.arange(400) % 4, ("a", "b", "c", "d"),
                   np.arange(400), "test")  # fmt: skip
    budget = TimeBudget(5, Clock())
    quick = seconds_to_predict(budget, replace(NETWORK, image=1e-3, gradient=3e-3), data, train=False)
    assert 0.3 * budget.seconds < quick < 0.5 * budget.seconds
    assert seconds_to_predict(budget, replace(NETWORK, image=1.0), data, train=True) == PREDICTED * 300
