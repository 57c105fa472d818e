"""The plan of a trial on this machine, kept in the run folder so that a resumed trial follows it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from deepsight.core.errors import DeepSightError
from deepsight.core.files import write_json
from deepsight.model.plan import Rates, measure
from deepsight.treat.arms import Store
from deepsight.treat.budget import Demand, Plan, Size, make_plan
from deepsight.treat.start import Setting
from deepsight.treat.treatment import CONTROL, Treatment


def planned(
    setting: Setting, treatments: Sequence[Treatment], folder: Path, budget: float, seeds: int
) -> Plan:
    """The plan in the folder if it is for the same request; else a new one, written there."""
    request: dict[str, Any] = {
        "budget": budget,
        "seeds": seeds,
        "treatments": [t.name for t in treatments],
        "recipe": setting.recipe.digest(),
        "train": len(setting.splits.train),
    }
    path = folder / "plan.json"
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["request"] == request:
            return Plan(**stored["plan"])
    Store(folder).forget_without_weights()
    plan = new_plan(setting, treatments, budget, seeds)
    write_json(path, {"request": request, "plan": plan.describe()})
    return plan


def new_plan(setting: Setting, treatments: Sequence[Treatment], budget: float, seeds: int) -> Plan:
    """Measure this machine and plan; treatments whose backbone cannot be had are left out."""
    splits, recipe = setting.splits, setting.recipe

    @cache
    def rates(backbone: str, resolution: int) -> Rates:
        return measure(setting.load(backbone), recipe, [resolution], k=splits.train.k)[resolution]

    size = Size(
        len(splits.train),
        len(splits.validation),
        len(splits.test),
        recipe.batch,
        recipe.views,
        recipe.epochs,
    )
    demands, missing = demands_of(setting, treatments)
    control = Demand(CONTROL.name, "", recipe.resolution)
    plan = make_plan(control, demands, rates, size, budget=budget, seeds=seeds)
    return replace(plan, left_out={**missing, **plan.left_out})


def demands_of(setting: Setting, treatments: Sequence[Treatment]) -> tuple[list[Demand], dict[str, str]]:
    """What the treatments need of the machine, and why some cannot be run at all."""
    demands, missing = [], {}
    for treatment in treatments:
        try:
            setting.load(treatment.backbone)
        except DeepSightError as error:
            missing[treatment.name] = str(error)
            continue
        _, recipe = treatment.apply(setting.splits.train, setting.recipe)
        same = treatment.budget == "epochs"
        demands.append(
            Demand(treatment.name, treatment.backbone, recipe.resolution, same, recipe.mixes_images)
        )
    return demands, missing


def sentence(plan: Plan) -> str:
    """The plan in one line."""
    arms = ", ".join(f"{name} ({steps})" for name, steps in plan.steps.items())
    left = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    return (
        f"{plan.seeds} seeds on {plan.rows} training images, about {plan.seconds / 60:.0f} min; "
        f"steps: {arms}{left}."
    )
