"""The plan of a trial on this machine, stored in the run folder so that a resumed trial follows it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from deepsight.core.dataset import Splits
from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import digest_of, write_json
from deepsight.core.files.damage import DAMAGE
from deepsight.core.files.manifest import canonical
from deepsight.core.recipe import Recipe
from deepsight.model.hardware.throughput import Throughput, fused_copy, measured_throughput
from deepsight.model.plan_search import RESOLUTIONS
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.checkpoints import TrialConfig
from deepsight.treat.trial.cost_model import (
    Demand,
    TrialPlan,
    TrialSize,
    fit_trial_plan,
    predict_seconds,
    step_choices,
)
from deepsight.treat.trial.store import Store

RENAMED = {"enough": "min_treatments", "opening": "final_test_seconds"}


def stored_or_new_plan(
    config: TrialConfig,
    treatments: Sequence[Treatment],
    folder: Path,
    budget: float,
    seeds: int,
    min_treatments: int,
) -> TrialPlan:
    """The stored plan if it was made for the same request, else a new one, which is stored."""
    request: dict[str, Any] = {
        "budget": budget,
        "seeds": seeds,
        "min_treatments": min_treatments,
        "treatments": [t.name for t in treatments],
        "recipe": config.recipe.digest(),
        "train": len(config.splits.train),
    }
    path = folder / "plan.json"
    known = stored_plan(path, request)
    if known is not None:
        return known
    Store(folder).forget_without_weights()
    plan = new_trial_plan(config, treatments, budget, seeds, min_treatments)
    content = {"request": request, "plan": plan.describe()}
    write_json(path, {**content, "digest": digest_of(canonical(content))})
    return plan


def stored_plan(path: Path, request: Mapping[str, Any]) -> TrialPlan | None:
    """The plan in a file; None if it is missing or damaged, or was made for another request."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        digest = stored.pop("digest", None)  # earlier versions wrote none
        whole = digest is None or digest == digest_of(canonical(stored))
        if not whole or under_new_names(stored["request"]) != request:
            return None
        return TrialPlan(**under_new_names(stored["plan"]))
    except DAMAGE:
        return None


def under_new_names(stored: dict[str, Any]) -> dict[str, Any]:
    """Part of a stored plan under its current names; earlier versions used others for some."""
    return {RENAMED.get(name, name): value for name, value in stored.items()}


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
