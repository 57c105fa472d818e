"""More time buys at least as much of every lever."""

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.interpret.levers.sizes import (
    LADDER,
    LeverRates,
    LeverSizes,
    affordable_lever_sizes,
    lever_seconds,
    smaller_of,
)

FAST = LeverRates(1 / 200, 1 / 350, 1 / 450, 1 / 110, 0.02)


def test_the_ladder_costs_more_with_every_step() -> None:
    costs = [lever_seconds(sizes, FAST, rows=13_000, epochs=1.25) for sizes in LADDER]
    assert costs == sorted(costs)


def test_five_minutes_buy_the_core_and_twenty_buy_all() -> None:
    five = affordable_lever_sizes(60, FAST, rows=13_000, epochs=1.25)
    twenty = affordable_lever_sizes(240, FAST, rows=40_000, epochs=1.5)
    assert five.retrainings >= 3
    assert min(five.views, five.parts, five.label_trainings) >= 1
    assert lever_seconds(twenty, FAST, rows=40_000, epochs=1.5) <= 240
    kinds = (twenty.parts, twenty.changes, twenty.objects, twenty.repair_images, twenty.swap_trainings)
    assert min(kinds) >= 1


def test_no_time_buys_the_smallest_trials() -> None:
    assert affordable_lever_sizes(0.1, FAST, rows=1000, epochs=1) == LADDER[0]


def test_the_smaller_of_two_sizes_is_taken_number_by_number() -> None:
    both = smaller_of(LeverSizes(images=5, views=3), LeverSizes(images=9, views=2))
    assert (both.images, both.views) == (5, 2)


def test_sizes_below_zero_are_refused() -> None:
    with pytest.raises(DeepSightError, match="at least 0"):
        LeverSizes(images=-1)
