"""Later stages shrink where time is short, grow a little where it is left, and never change a given plan."""

import time
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.recipe import Recipe
from deepsight.interpret.levers.sizes import LADDER, LEAST
from deepsight.model.hardware.throughput import Throughput
from deepsight.model.plan_search import Workload
from deepsight.workflows.planning import study_pace
from deepsight.workflows.study_context import Context, Promise

SPEED = Throughput(frozen=4000, view=4000, trainable=3000, step=450, map_bytes=5_120, cells=2)
SECONDS = {"frozen": 5.0, "finetune": 50.0, "predict": 10.0, "interpret": 40.0, "report": 1.0}
PLAN = StudyPlan(
    backbone="tf_efficientnet_lite0", train_rows=6_000, recipe=Recipe(resolution=64, epochs=3.0, views=2),
    degradation_images=300, context_objects=300, faithfulness_images=100, predicted_seconds=SECONDS,
)  # fmt: skip
WORK = Workload(
    rows=6_000, validation=600, test=1_000, elapsed=10.0,
    fixed={"scrub": 5.0, "explore": 2.0, "interpret": 40.0, "report": 1.0},
    embedded=lambda side: {}, duplicate_seconds=lambda n: 0.0, resident_mb=500, peak_mb=500, memory_mb=10_000,
)  # fmt: skip


def under_way(elapsed: float, *, planned: bool = True) -> Any:
    """A study of 130 seconds of which so many have passed."""
    promise = (
        Promise(
            130.0,
            WORK,
            SPEED,
            sampled=25.0,
            mask_seconds=0.04,
            training=SECONDS["frozen"] + SECONDS["finetune"],
        )
        if planned
        else None
    )
    return SimpleNamespace(
        plan=PLAN, promise=promise, began=time.perf_counter() - elapsed, seconds={}, pretrained=None,
        splits=SimpleNamespace(classes=("a", "b"), test=None), fabric=SimpleNamespace(device="cpu"),
        log=lambda _: None,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How much slower the machine is than when the plan was made."""
    now = {"slower": 1.0}
    monkeypatch.setattr(study_pace, "fused_copy", lambda *_, **__: None)
    monkeypatch.setattr(study_pace, "seconds_of_a_mask", lambda _: 0.04 * now["slower"])
    monkeypatch.setattr(
        study_pace,
        "measured_throughput",
        lambda *_: {64: Throughput(*(rate / now["slower"] for rate in (4000, 4000, 3000, 450)), 5_120, 2)},
    )
    return now


def test_a_plan_that_is_on_time_is_left_alone() -> None:
    assert study_pace.pace_training(under_way(14.0)) == PLAN


def test_lost_time_is_taken_from_the_passes() -> None:
    assert study_pace.pace_training(under_way(45.0)).recipe.epochs < PLAN.recipe.epochs


def test_a_slower_machine_trains_less(machine: dict[str, float]) -> None:
    machine["slower"] = 2.0
    paced = study_pace.pace_training(under_way(14.0))
    assert paced.recipe.epochs < 0.7 * PLAN.recipe.epochs
    assert paced.train_rows == PLAN.train_rows


def test_a_shortened_training_does_not_make_the_machine_look_fast() -> None:
    """The examination that follows was planned at this speed, and is not to grow."""
    late = under_way(45.0)
    planned = late.promise.training
    paced = study_pace.pace_training(late)
    expected = late.promise.training
    assert expected < planned
    late.plan, late.seconds = paced, {"frozen": expected / 2, "finetune": expected / 2}
    assert study_pace.training_slowdown(late, late.promise) == pytest.approx(1)


def test_the_examination_takes_smaller_samples_where_time_is_short_and_larger_ones_where_it_is_left() -> None:
    sizes = [study_pace.pace_examination(under_way(elapsed)).degradation_images for elapsed in (125.0, 60.0)]
    assert sizes[0] < sizes[1]
    fewest = study_pace.pace_examination(under_way(500.0))
    assert fewest.degradation_images == 100


def test_a_plan_from_a_file_is_never_changed() -> None:
    late = under_way(500.0, planned=False)
    assert study_pace.pace_training(late) is PLAN
    assert study_pace.pace_examination(late) is PLAN


def test_one_odd_moment_counts_five_times_at_most() -> None:
    assert study_pace.slowdown(100.0) == study_pace.LIMITS[1]
    assert study_pace.slowdown(0.001) == study_pace.LIMITS[0]


@pytest.mark.parametrize("minutes", [float("inf"), float("nan"), 0.0, -1.0])
def test_budgets_without_an_end_are_refused(minutes: float) -> None:
    with pytest.raises(ValueError, match="minutes"):
        StudyConfig(minutes=minutes)


def test_a_context_starts_without_a_promise(tmp_path: Any) -> None:
    assert Context(run=tmp_path, study=StudyConfig()).promise is None


def test_levers_take_what_the_plan_kept_for_them_and_the_least_where_time_is_short() -> None:
    work = replace(WORK, fixed={**WORK.fixed, "levers": 26.0})
    planned = asdict(LADDER[5])
    sizes = []
    for elapsed in (80.0, 122.0, 129.5):
        context = under_way(elapsed)
        context.promise = replace(context.promise, work=work)
        context.plan = context.plan.model_copy(update={"lever_sizes": planned})
        sizes.append(study_pace.pace_levers(context).lever_sizes)
    assert sizes[0]["images"] >= sizes[1]["images"] >= sizes[2]["images"]
    assert sizes[2] == asdict(LEAST)
    assert study_pace.pace_levers(under_way(80.0, planned=False)) == PLAN


def test_a_plan_without_levers_gets_none_later() -> None:
    assert study_pace.pace_levers(under_way(80.0)).lever_sizes == {}
