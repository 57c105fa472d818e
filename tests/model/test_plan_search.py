"""The planner: what it predicts follows from the rates, and what it chooses fits the budget."""

from dataclasses import replace
from itertools import pairwise

import pytest

from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.model import plan_search as planner
from deepsight.model.hardware.throughput import Throughput
from deepsight.model.plan_search import Workload

RATES = {
    64: Throughput(frozen=3500, view=3500, trainable=3000, step=450, map_bytes=5_120, cells=2),
    96: Throughput(frozen=1500, view=1500, trainable=1400, step=200, map_bytes=11_520, cells=3),
    128: Throughput(frozen=850, view=850, trainable=800, step=110, map_bytes=20_480, cells=4),
}
WORK = Workload(
    rows=45_000,
    validation=5_000,
    test=10_000,
    elapsed=6.0,
    fixed={"scrub": 12.0},
    embedded=lambda side: {"scrub": 64_000 // side},
    duplicate_seconds=lambda n: 1e-8 * n**2,
    resident_mb=900.0,
    peak_mb=900.0,
    memory_mb=16_000.0,
)


@pytest.mark.parametrize("minutes", [1, 3, 5, 10, 20, 60])
def test_the_chosen_plan_fits_the_budget(minutes: float) -> None:
    best = planner.best_plan(Recipe(), RATES, WORK, minutes * 60)
    assert WORK.elapsed + best.total <= minutes * 60


def test_a_longer_budget_never_expects_a_worse_model() -> None:
    best = [planner.best_plan(Recipe(), RATES, WORK, 60 * m) for m in (1, 2, 3, 5, 8, 10, 20, 40)]
    costs = [plan.cost for plan in best]
    assert costs == sorted(costs, reverse=True)
    assert all(later.error <= planner.WITHOUT_MAPS * earlier.error for earlier, later in pairwise(best))


def test_near_ties_go_to_the_resolution_whose_maps_can_be_looked_at() -> None:
    def plan(side: int, error: float) -> planner.PlanCandidate:
        return planner.PlanCandidate(
            Recipe(resolution=side), 5_000, {"train": 1.0}, 1.0, error, RATES[side].cells
        )

    assert plan(96, 0.100).cost > plan(128, 0.109).cost
    assert plan(96, 0.100).cost < plan(128, 0.111).cost


def test_there_is_a_choice_of_plans() -> None:
    found = planner.plan_candidates(Recipe(), RATES, WORK, 300)
    assert len({(c.recipe.resolution, c.rows) for c in found}) >= 4


def test_a_budget_in_which_nothing_fits_gives_the_smallest_study() -> None:
    budget = 20.0
    smallest = planner.best_plan(Recipe(), RATES, WORK, budget)
    assert planner.plan_candidates(Recipe(), RATES, WORK, budget) == []
    assert budget < smallest.total + WORK.elapsed <= planner.MOST_OVERRUN * budget
    assert (smallest.rows, smallest.recipe.epochs) == (planner.row_choices(WORK.rows)[-1], 1.0)


def test_more_than_five_times_the_budget_is_refused_with_one_that_fits() -> None:
    with pytest.raises(
        UsageError, match=r"received --minutes 0\.05.*takes about --minutes [\d.]+"
    ) as refused:
        planner.best_plan(Recipe(), RATES, WORK, 3)
    enough = float(str(refused.value).split("about --minutes ")[1].split(";")[0])
    assert planner.best_plan(Recipe(), RATES, WORK, 60 * enough).rows > 0


@pytest.mark.parametrize(
    ("rows", "batch"), [(20, 8), (100, 8), (300, 32), (1000, 64), (2000, 128), (45_000, 128)]
)
def test_few_images_are_trained_in_smaller_batches(rows: int, batch: int) -> None:
    assert planner.batch_for(rows, 128) == batch


def test_a_training_is_shortened_to_the_seconds_left_but_never_below_half_a_pass() -> None:
    recipe = Recipe(resolution=64, epochs=3.0, views=2)
    planned = planner.predict_plan(recipe, 5_000, RATES[64], WORK)
    train = planned.seconds["frozen"] + planned.seconds["finetune"]
    same = planner.shortened(recipe, 5_000, RATES[64], WORK, train)
    assert same.recipe == recipe
    less = planner.shortened(recipe, 5_000, RATES[64], WORK, 0.6 * train)
    assert less.seconds["frozen"] + less.seconds["finetune"] <= 0.6 * train
    assert (less.recipe.epochs < 2.5, less.recipe.averaged) == (True, planner.AVERAGED)
    assert planner.shortened(recipe, 5_000, RATES[64], WORK, 0.0).recipe.epochs == planner.LEAST_PASS


def test_seconds_by_hand() -> None:
    recipe = Recipe(resolution=64, epochs=2, views=2)
    plan = planner.predict_plan(recipe, 10_000, RATES[64], WORK)
    assert plan.seconds["scrub"] == pytest.approx(12.0 + 1_000 * (1 / 3500 + 1 / 3000) + 1e-8 * 25_000**2)
    assert plan.seconds["frozen"] == pytest.approx((2 * 10_000 + 5_000) / 3500 + 10_000 / 3000 + 2)
    assert plan.seconds["finetune"] == pytest.approx(20_000 / 450 + 3 * 5_000 / 3000)
    assert plan.seconds["predict"] == pytest.approx(10_000 * (1 / 3500 + 2 / 3000) + 1)


@pytest.mark.parametrize(
    ("resolution", "rows", "epochs", "macro_f1"),
    [(64, 4_000, 1, 0.769), (64, 12_000, 3, 0.872), (96, 4_000, 1, 0.856), (96, 24_000, 1, 0.911),
     (128, 12_000, 1, 0.921), (128, 4_000, 2, 0.906), (160, 12_000, 1, 0.932)],
)  # fmt: skip
def test_the_expected_error_is_near_what_was_measured(
    resolution: int, rows: int, epochs: float, macro_f1: float
) -> None:
    """Figures: benchmarks/recipes/sizes.csv."""
    assert planner.error_of_plan(resolution, rows, epochs) == pytest.approx(1 - macro_f1, abs=0.01)


def test_new_images_are_worth_more_than_the_same_again() -> None:
    twice, more = planner.error_of_plan(96, 6_000, 2), planner.error_of_plan(96, 12_000, 1)
    assert more < twice < planner.error_of_plan(96, 6_000, 1)
    assert planner.error_of_plan(100, 6_000, 2) == twice


def test_little_of_the_training_time_is_left_over() -> None:
    best = planner.best_plan(Recipe(), RATES, WORK, 300)
    trained = best.seconds["frozen"] + best.seconds["finetune"]
    assert 300 - WORK.elapsed - best.total <= trained / 7


def test_views_follow_the_passes() -> None:
    assert [planner.views_for(epochs) for epochs in (1.0, 2.0, 3.0, 7.0, 12.0)] == [1, 1, 2, 6, 6]


def test_memory_is_what_training_or_the_examination_adds_or_what_was_needed_before() -> None:
    plan = planner.predict_plan(Recipe(epochs=1, views=1, batch=128), 30_000, RATES[128], WORK)
    assert plan.peak_mb == pytest.approx(900 + (35_000 + 400 * 128) * 20_480 / 1e6)
    small = planner.predict_plan(Recipe(epochs=1, views=1, batch=128), 10_000, RATES[64], WORK)
    assert small.peak_mb == 900 + planner.EXAMINATION_MB
    larger = planner.predict_plan(Recipe(epochs=1, views=1, batch=128, resolution=128), 100, RATES[128], WORK)
    assert larger.peak_mb == 900 + planner.EXAMINATION_MB + 64 * planner.EXAMINATION_MB_PER_PIXEL
    before = replace(WORK, peak_mb=3000.0)
    assert planner.predict_plan(Recipe(epochs=1, views=1), 10_000, RATES[64], before).peak_mb == 3000


def test_a_plan_that_the_machine_has_no_room_for_is_left_out() -> None:
    free = planner.best_plan(Recipe(), RATES, WORK, 1200)
    tight = planner.best_plan(Recipe(), RATES, replace(WORK, memory_mb=free.peak_mb - 1), 1200)
    assert tight.peak_mb < free.peak_mb
    nothing = planner.best_plan(Recipe(), RATES, replace(WORK, memory_mb=1.0), 1200)
    assert nothing == free


def test_large_images_are_measured_where_there_is_time_for_them() -> None:
    assert planner.resolutions_for(60) == (64,)
    assert planner.resolutions_for(300) == (64, 96, 128)
    assert planner.resolutions_for(600) == planner.RESOLUTIONS


def test_more_views_need_more_memory() -> None:
    one = planner.predict_plan(Recipe(epochs=4, views=1), 30_000, RATES[128], WORK)
    four = planner.predict_plan(Recipe(epochs=4, views=4), 30_000, RATES[128], WORK)
    assert four.peak_mb - one.peak_mb == pytest.approx(3 * 30_000 * 20_480 / 1e6)
