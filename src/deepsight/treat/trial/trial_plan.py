"""The plan of a trial: as many treatments as fit into its budget on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import product
from typing import Any

from deepsight.core.dataset import Splits
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.recipe import Recipe
from deepsight.model.hardware.throughput import Throughput, fused_copy, measured_throughput
from deepsight.model.plan_search import RESOLUTIONS
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.checkpoints import TrialConfig
from deepsight.treat.trial.cost_model import (
    LEAST_STEPS,
    Demand,
    ThroughputOf,
    TrialSize,
    arm_steps,
    final_test_seconds,
    predict_seconds,
    rows_for,
)


@dataclass(frozen=True)
class TrialPlan:
    """What a trial will do.

    Attributes:
        rows: training images of every arm.
        seeds: trainings per arm.
        steps: optimiser steps by arm, the control first.
        left_out: why a treatment does not run, by name.
        seconds: predicted for the whole trial.
        final_test_seconds: the part of them to predict the test images with the control and the winner.
        resolution, trained_reductions: of the control, as `Recipe` has them; 0 keeps the run's.
    """

    rows: int
    seeds: int
    steps: dict[str, int]
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    final_test_seconds: float = 0.0
    resolution: int = 0
    trained_reductions: int = 0

    def describe(self) -> dict[str, Any]:
        """The plan as stored in treatments/plan.json."""
        return asdict(self)


def new_trial_plan(
    config: TrialConfig, treatments: Sequence[Treatment], budget: float, seeds: int, min_treatments: int
) -> TrialPlan:
    """Measure this machine and plan; treatments whose backbone is not available are left out.

    Takes the first of `cheaper_recipes` under which `min_treatments` fit, or else the cheapest.
    """
    *dearer, cheapest = cheaper_recipes(config.recipe)
    for recipe in dearer:
        plan = plan_with_recipe(config, recipe, treatments, budget, seeds, min_treatments)
        if plan is not None:
            return plan
    found = plan_with_recipe(config, cheapest, treatments, budget, seeds, 0)
    assert found is not None  # no minimum was asked for, and a plan that fits nothing raises
    return found


def cheaper_recipes(recipe: Recipe) -> list[Recipe]:
    """The run's own recipe, then cheaper ones: train the last stage only, then lower the resolution."""
    last = replace(recipe, trained_reductions=min(1, recipe.trained_reductions))
    lower = [replace(last, resolution=side) for side in reversed(RESOLUTIONS) if side < recipe.resolution]
    return list(dict.fromkeys([recipe, last, *lower]))


def plan_with_recipe(
    config: TrialConfig,
    recipe: Recipe,
    treatments: Sequence[Treatment],
    budget: float,
    seeds: int,
    min_treatments: int,
) -> TrialPlan | None:
    """The plan with this recipe; None if fewer than `min_treatments` of those that can run fit."""

    @cache
    def rates(backbone: str, resolution: int) -> Throughput:
        pretrained = config.load(backbone)
        network = fused_copy(pretrained, recipe, k=config.splits.train.k)
        return measured_throughput(network, pretrained, recipe, [resolution])[resolution]

    size = trial_size(config.splits, recipe)
    demands, missing = arm_demands(config, recipe, treatments)
    min_treatments = min(min_treatments, len(demands))
    control = Demand(CONTROL.name, "", recipe.resolution)
    # No arm costs less than the control. If that many controls do not fit, nothing else needs timing.
    least = predict_seconds(
        [control] * (1 + min_treatments), min(step_choices(size)), rates, size, seeds, spare=False
    )
    if min_treatments and least > budget:
        return None
    plan = fit_trial_plan(control, demands, rates, size, budget=budget, seeds=seeds)
    if len(plan.steps) - 1 < min_treatments:
        return None
    return replace(
        plan,
        left_out={**missing, **plan.left_out},
        resolution=recipe.resolution,
        trained_reductions=recipe.trained_reductions,
    )


def fit_trial_plan(
    control: Demand,
    demands: Sequence[Demand],
    rates: ThroughputOf,
    size: TrialSize,
    *,
    budget: float,
    seeds: int,
) -> TrialPlan:
    """The plan with the most treatments that fit into the budget, and the longest training for them.

    Args:
        control: the arm without a treatment.
        demands: of the treatments, the most promising first; the last are dropped first.
        rates: returns the speed of a backbone at a resolution on this machine.
        size: numbers of images.
        budget: seconds.
        seeds: trainings of each arm.

    Raises:
        UsageError: not even one treatment fits.
    """
    for count in range(len(demands), 0, -1):
        arms = [control, *demands[:count]]
        for spare, steps in product((True, False), step_choices(size)):
            seconds = predict_seconds(arms, steps, rates, size, seeds, spare=spare)
            if seconds <= budget:
                left = {d.name: f"does not fit into {budget / 60:.0f} minutes" for d in demands[count:]}
                allotted = {d.name: arm_steps(d, control, steps, rates) for d in arms}
                final = final_test_seconds(arms, rates, size, seeds)
                return TrialPlan(rows_for(steps, size), seeds, allotted, left, seconds, final)
    raise UsageError(
        f"Expected time for {seeds} trainings of a control and of a treatment, received {budget:.0f} s. "
        "Allow more minutes."
    )


def step_choices(size: TrialSize) -> Iterator[int]:
    """Numbers of steps to try: the recipe's passes over all rows, then a tenth fewer each time."""
    most = round(size.epochs * size.train / size.batch)
    steps = most
    while steps >= min(LEAST_STEPS, most) and steps > 0:
        yield steps
        steps = int(steps * 0.9)


def trial_size(splits: Splits, recipe: Recipe) -> TrialSize:
    """The size of the trial with this recipe."""
    counts = len(splits.train), len(splits.validation), len(splits.test)
    return TrialSize(*counts, recipe.batch, recipe.views, recipe.epochs)


def arm_demands(
    config: TrialConfig, recipe: Recipe, treatments: Sequence[Treatment]
) -> tuple[list[Demand], dict[str, str]]:
    """The demands of the treatments with this recipe, and by name why some cannot run."""
    demands, missing = [], {}
    for treatment in treatments:
        try:
            config.load(treatment.backbone)
        except DeepSightError as error:
            missing[treatment.name] = str(error)
            continue
        _, own = treatment.apply(config.splits.train, recipe)
        if recipe.resolution < config.recipe.resolution and own.resolution != recipe.resolution:
            missing[treatment.name] = (
                f"to fit the time, the trial is at {recipe.resolution} px and the run at "
                f"{config.recipe.resolution} px, so the result would not apply to the run"
            )
            continue
        same = treatment.budget == "epochs"
        demands.append(Demand(treatment.name, treatment.backbone, own.resolution, same, own.mixes_images))
    return demands, missing


def trial_plan_sentence(plan: TrialPlan, recipe: Recipe) -> str:
    """The plan in one line; `recipe` is the run's."""
    arms = ", ".join(f"{name} ({steps})" for name, steps in plan.steps.items())
    left = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    return (
        f"{plan.seeds} seeds on {plan.rows} training images, about {plan.seconds / 60:.0f} min; "
        f"steps: {arms}{left}. {recipe_difference(plan, recipe)}"
    )


def recipe_difference(plan: TrialPlan, recipe: Recipe) -> str:
    """How the control's training differs from the run's, which limits what the trial can show."""
    said = []
    if plan.resolution != recipe.resolution:
        said.append(f"use {plan.resolution} px (the run: {recipe.resolution})")
    if plan.trained_reductions != recipe.trained_reductions:
        own, of_run = last_stages(plan.trained_reductions), last_stages(recipe.trained_reductions)
        said.append(f"train only {own} (the run: {of_run})")
    return f"To fit the time, the arms {' and '.join(said)}." if said else "The arms train as the run does."


def last_stages(number: int) -> str:
    """The trained stages in words."""
    return {0: "the head", 1: "the last stage"}.get(number, f"the last {number} stages")
