"""The plan of a trial on this machine, kept in the run folder so that a resumed trial follows it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from deepsight.core.dataset import Splits
from deepsight.core.errors import DeepSightError
from deepsight.core.files import write_json
from deepsight.core.recipe import Recipe
from deepsight.model.plan_search import RESOLUTIONS
from deepsight.model.throughput import Throughput, fused_copy, measured_throughput
from deepsight.treat.treatments.base import CONTROL, Treatment
from deepsight.treat.trial.arm import Store
from deepsight.treat.trial.checkpoints import Setting
from deepsight.treat.trial.cost_model import Demand, Size, TrialPlan, make_plan, predict_seconds, step_choices


def planned(
    setting: Setting, treatments: Sequence[Treatment], folder: Path, budget: float, seeds: int, enough: int
) -> TrialPlan:
    """The plan in the folder if it is for the same request; else a new one, written there."""
    request: dict[str, Any] = {
        "budget": budget,
        "seeds": seeds,
        "enough": enough,
        "treatments": [t.name for t in treatments],
        "recipe": setting.recipe.digest(),
        "train": len(setting.splits.train),
    }
    path = folder / "plan.json"
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["request"] == request:
            return TrialPlan(**stored["plan"])
    Store(folder).forget_without_weights()
    plan = new_plan(setting, treatments, budget, seeds, enough)
    write_json(path, {"request": request, "plan": plan.describe()})
    return plan


def new_plan(
    setting: Setting, treatments: Sequence[Treatment], budget: float, seeds: int, enough: int
) -> TrialPlan:
    """Measure this machine and plan; treatments whose backbone cannot be had are left out.

    Of the trainings in `ways`, the first that holds `enough` treatments is taken, or else the cheapest.
    """
    *dearer, cheapest = ways(setting.recipe)
    for recipe in dearer:
        plan = plan_of(setting, recipe, treatments, budget, seeds, enough)
        if plan is not None:
            return plan
    found = plan_of(setting, cheapest, treatments, budget, seeds, 0)
    assert found is not None  # no number was asked of it; that nothing fits is an error
    return found


def ways(recipe: Recipe) -> list[Recipe]:
    """The run's own training, then ever cheaper ones: the last reduction alone, then lower resolutions."""
    last = replace(recipe, trained_reductions=min(1, recipe.trained_reductions))
    lower = [replace(last, resolution=side) for side in reversed(RESOLUTIONS) if side < recipe.resolution]
    return list(dict.fromkeys([recipe, last, *lower]))


def plan_of(
    setting: Setting, recipe: Recipe, treatments: Sequence[Treatment], budget: float, seeds: int, enough: int
) -> TrialPlan | None:
    """The plan with this recipe; None where fewer than `enough` of the treatments that can be run fit."""

    @cache
    def rates(backbone: str, resolution: int) -> Throughput:
        pretrained = setting.load(backbone)
        network = fused_copy(pretrained, recipe, k=setting.splits.train.k)
        return measured_throughput(network, pretrained, recipe, [resolution])[resolution]

    size = size_of(setting.splits, recipe)
    demands, missing = demands_of(setting, recipe, treatments)
    enough = min(enough, len(demands))
    control = Demand(CONTROL.name, "", recipe.resolution)
    # No arm costs less than the control: where so many controls do not fit, the others need not be timed.
    least = predict_seconds(
        [control] * (1 + enough), min(step_choices(size)), rates, size, seeds, spare=False
    )
    if enough and least > budget:
        return None
    plan = make_plan(control, demands, rates, size, budget=budget, seeds=seeds)
    if len(plan.steps) - 1 < enough:
        return None
    return replace(
        plan,
        left_out={**missing, **plan.left_out},
        resolution=recipe.resolution,
        trained_reductions=recipe.trained_reductions,
    )


def size_of(splits: Splits, recipe: Recipe) -> Size:
    """Numbers of images and how they are trained on."""
    counts = len(splits.train), len(splits.validation), len(splits.test)
    return Size(*counts, recipe.batch, recipe.views, recipe.epochs)


def demands_of(
    setting: Setting, recipe: Recipe, treatments: Sequence[Treatment]
) -> tuple[list[Demand], dict[str, str]]:
    """What the treatments need of the machine under this recipe, and why some cannot be run at all."""
    demands, missing = [], {}
    for treatment in treatments:
        try:
            setting.load(treatment.backbone)
        except DeepSightError as error:
            missing[treatment.name] = str(error)
            continue
        _, own = treatment.apply(setting.splits.train, recipe)
        if recipe.resolution < setting.recipe.resolution and own.resolution != recipe.resolution:
            missing[treatment.name] = (
                f"to fit the time, the trial is at {recipe.resolution} px and the run at "
                f"{setting.recipe.resolution}, so that this would say nothing about the run"
            )
            continue
        same = treatment.budget == "epochs"
        demands.append(Demand(treatment.name, treatment.backbone, own.resolution, same, own.mixes_images))
    return demands, missing


def sentence(plan: TrialPlan, recipe: Recipe) -> str:
    """The plan in a line; `recipe` is the run's."""
    arms = ", ".join(f"{name} ({steps})" for name, steps in plan.steps.items())
    left = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    return (
        f"{plan.seeds} seeds on {plan.rows} training images, about {plan.seconds / 60:.0f} min; "
        f"steps: {arms}{left}. {difference(plan, recipe)}"
    )


def difference(plan: TrialPlan, recipe: Recipe) -> str:
    """How the control's training differs from the run's, which bounds what the trial says about it."""
    said = []
    if plan.resolution != recipe.resolution:
        said.append(f"at {plan.resolution} px where the run has {recipe.resolution}")
    if plan.trained_reductions != recipe.trained_reductions:
        said.append(
            f"with the stages of the last {plan.trained_reductions} reduction of the map trained "
            f"where the run trains those of the last {recipe.trained_reductions}"
        )
    return f"To fit the time, arms train {' and '.join(said)}." if said else "Arms train as the run does."
