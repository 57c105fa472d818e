"""The plan of a study: resolution, training images and epochs that fit into the minutes on this machine."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.dataset import Dataset, Splits
from deepsight.core.engine_settings import EngineSettings
from deepsight.core.environment import machine_mb, peak_rss_mb, rss_mb
from deepsight.core.errors import UsageError
from deepsight.core.evidence import Table
from deepsight.core.recipe import Recipe
from deepsight.images.resize import Method
from deepsight.interpret.levers.sizes import LeverRates, LeverSizes, affordable_lever_sizes
from deepsight.model import plan_search as planner
from deepsight.model.engine.fastest_settings import fastest_settings
from deepsight.model.engine.graphs import StageMapsGraph
from deepsight.model.engine.settings import use_settings
from deepsight.model.hardware.throughput import Throughput, faster_base, fused_copy, measured_throughput
from deepsight.model.pretrained import Pretrained
from deepsight.model.training.fit import base_recipe
from deepsight.scrub import interpolation
from deepsight.workflows.folds import planned_folds
from deepsight.workflows.near_duplicates import search_seconds
from deepsight.workflows.planning.examination_sizes import (
    SAMPLED,
    SAMPLED_MOST,
    least_sampled_seconds,
    planned_sizes,
    sample_sizes_of,
    seconds_of_a_mask,
)
from deepsight.workflows.planning.machine_slowness import Slowness, measured_slowness
from deepsight.workflows.study_context import Context, Promise, rounded

ROOM = 0.8  # share of the machine's memory that a plan may use
# Seconds of a stage whatever the plan, and per image of all splits, of train and of test. Their sums were
# measured on CIFAR-10; the constants are estimates, since a whole study of 40 images took 7 s of processor
# time. They are scaled by `Slowness.machine`.
FIXED = {"scrub": (0.8, 1e-4), "explore": (3.6, 3e-5), "interpret": (9.0, 2.0e-3), "report": (0.8, 0.0)}
ENGINE_SIDE = 128  # pixels; the resolution at which forward engines are compared
LEVERS = 0.12  # share of the budget for the levers, which retrain parts of the model
SAMPLE = 1500  # training images for the embedding and the proposed hypotheses
INTERPOLATION_PIXELS = 1000 * 64  # images times side in the comparison of interpolations
INTERPOLATIONS = 4  # methods that give different pixels when images are enlarged


@dataclass(frozen=True)
class MeasuredMachine:
    """The speed of this machine, as measured before planning.

    Attributes:
        base: the recipe to plan with, in the number format that trains fastest here.
        engine: the fastest settings of forward passes.
        rates: throughput by resolution.
        mask_seconds: seconds to cut out one object of the study's images.
        slowness: of other work than the network's.
    """

    base: Recipe
    engine: EngineSettings
    rates: dict[int, Throughput]
    mask_seconds: float
    slowness: Slowness

    def least_sampled(self, side: int) -> float:
        """Seconds that the smallest samples take at this resolution."""
        return least_sampled_seconds(self.rates[side].forward, self.mask_seconds, self.slowness.contention)

    def beyond_share(self, side: int, share: float) -> float:
        """Seconds that the smallest samples take at this resolution beyond their share of the budget."""
        return max(0.0, self.least_sampled(side) - share)


def make_plan(context: Context, splits: Splits) -> StudyPlan:
    """Measure this machine and choose the resolution, rows and epochs that fit into the budget."""
    study = context.study
    budget, folds = study.minutes * 60, planned_folds(study, context.obtained)
    if folds > 1:
        context.log(said_of_folds(folds, len(context.obtained.train) + len(context.obtained.test)))
    rows = min(len(splits.train), study.train_limit or len(splits.train))
    machine = measured_machine(context, splits, rows)
    share = min(SAMPLED * budget, SAMPLED_MOST)
    levers_seconds = LEVERS * budget if folds == 1 else 0.0  # their controls need one model
    fixed = fixed_seconds(splits, machine.slowness.machine) | {"levers": levers_seconds}
    work = study_workload(context, splits, machine, fixed, rows=rows, folds=folds, share=share)
    best = planner.best_plan(machine.base, machine.rates, work, budget)
    whole, speed = work.elapsed + best.total, machine.rates[best.recipe.resolution]
    contention = machine.slowness.contention
    sampled = share + machine.beyond_share(best.recipe.resolution, share)
    work = replace(work, fixed=work.fixed | {"interpret": fixed["interpret"] + sampled})
    context.promise = Promise(
        max(budget, whole),
        work,
        speed,
        sampled,
        machine.mask_seconds,
        training_seconds(best),
        contention,
    )
    log_plan(context, best, whole, budget)
    levers = plan_levers(levers_seconds, speed, machine.mask_seconds, best.rows, best.recipe.epochs)
    sizes = sample_sizes_of(sampled, speed.forward, machine.mask_seconds, contention)
    return StudyPlan(
        backbone=context.pretrained.name, train_rows=best.rows, recipe=best.recipe, engine=machine.engine,
        folds=folds, **planned_sizes(sizes), lever_sizes=asdict(levers) if folds == 1 else {},
        predicted_seconds=rounded(best.seconds), predicted_peak_mb=round(best.peak_mb),
    )  # fmt: skip


def measured_machine(context: Context, splits: Splits, rows: int) -> MeasuredMachine:
    """Measure how fast this machine trains and predicts with the study's backbone, and use its settings."""
    study, pretrained = context.study, context.pretrained
    base = base_recipe(pretrained, study.seed)
    base = replace(base, batch=planner.batch_for(rows, base.batch))
    sides = planned_sides(pretrained, study.resolution, study.minutes * 60)
    network = fused_copy(pretrained, base, k=len(splits.classes), device=context.fabric.device)
    base = faster_base(network, base)
    engine = fastest_settings(StageMapsGraph(network.stages), sides[0] if len(sides) == 1 else ENGINE_SIDE)
    use_settings(engine)
    rates = measured_throughput(network, pretrained, base, sides)
    return MeasuredMachine(base, engine, rates, seconds_of_a_mask(splits.test), measured_slowness())


def study_workload(
    context: Context, splits: Splits, machine: MeasuredMachine, fixed: Mapping[str, float], *,
    rows: int, folds: int, share: float,
) -> planner.Workload:  # fmt: skip
    """What the study does besides training.

    Args:
        context: of the study.
        splits: its images.
        machine: this machine.
        fixed: seconds by stage that do not depend on the plan.
        rows: training images at most.
        folds: models to train.
        share: seconds of the budget for checks on samples.
    """
    return planner.Workload(
        rows=rows, validation=len(splits.validation), test=len(splits.test),
        elapsed=time.perf_counter() - context.began,
        fixed={**fixed, "interpret": fixed["interpret"] + share},
        embedded=lambda side: {
            "scrub": INTERPOLATIONS * min(rows, interpolation_images(side)), "explore": min(rows, SAMPLE),
            "interpret": round(machine.beyond_share(side, share) * machine.rates[side].embedded),
        },
        duplicate_seconds=partial(search_seconds, context, machine.slowness.machine),
        resident_mb=rss_mb(),
        peak_mb=peak_rss_mb(),
        memory_mb=ROOM * machine_mb(),
        trainings=folds,
    )  # fmt: skip


def log_plan(context: Context, plan: planner.PlanCandidate, whole: float, budget: float) -> None:
    """Log the plan and its predicted time, and whether it exceeds the budget; both in seconds."""
    if whole > budget:
        context.log(
            f"No study of these images fits into --minutes {budget / 60:g} here: the smallest takes "
            f"about {whole:.0f} s and runs anyway."
        )
    context.log(
        f"Plan: {plan.recipe.resolution} px, {plan.rows} training images, "
        f"{counted(plan.recipe.epochs, 'epoch')}; predicted {plan.total:.0f} s and "
        f"{plan.peak_mb / 1000:.1f} GB on {counted(torch.get_num_threads(), 'thread')}."
    )


def training_seconds(plan: planner.PlanCandidate) -> float:
    """Predicted seconds of the training."""
    return plan.seconds["frozen"] + plan.seconds["finetune"]


def counted(n: float, what: str) -> str:
    """A number with its noun, such as "1 epoch" or "1.5 epochs"."""
    return f"{n:g} {what}" if n == 1 else f"{n:g} {what}s"


def said_of_folds(folds: int, n: int) -> str:
    """A sentence that says what folds do and how to do without."""
    return (
        f"{n:,} images in {folds} folds: each is examined by a model that has not seen it, so {folds} models "
        "are trained and the first is kept. --folds 1 trains one and examines its test part alone."
    )


def planned_sides(pretrained: Pretrained, asked: int | None, budget: float) -> tuple[int, ...]:
    """The resolutions to choose from: as asked, as the backbone requires, or as suits the budget.

    Raises:
        UsageError: the backbone takes one resolution only, and another was asked for.
    """
    if pretrained.side is not None and asked not in (None, pretrained.side):
        raise UsageError(
            f"Expected --resolution {pretrained.side}, the only one that {pretrained.name} takes, "
            f"received {asked}."
        )
    side = asked or pretrained.side
    return (side,) if side else planner.resolutions_for(budget)


def plan_levers(
    seconds: float, speed: Throughput, mask_seconds: float, rows: int, epochs: float
) -> LeverSizes:
    """The largest sizes of the levers' trials that fit into these seconds, or the smallest there are."""
    rates = LeverRates(
        forward=1 / speed.forward, frozen=1 / speed.frozen, trainable=1 / speed.trainable,
        step=1 / speed.step, mask=mask_seconds,
    )  # fmt: skip
    return affordable_lever_sizes(seconds, rates, rows=rows, epochs=epochs)


def fixed_seconds(splits: Splits, slowness: float) -> dict[str, float]:
    """Seconds of each stage that do not depend on the plan, on a machine this many times slower."""
    train, test = len(splits.train), len(splits.test)
    images = {
        "scrub": train + len(splits.validation) + test, "explore": train, "interpret": test, "report": 0
    }  # fmt: skip
    return {name: slowness * (least + each * images[name]) for name, (least, each) in FIXED.items()}


def study_interpolation(context: Context, train: Dataset, recipe: Recipe) -> Table:
    """Compare the interpolations on frozen features, with fewer images at higher resolutions."""

    def features(
        pixels: NDArray[np.uint8], method: Method, antialias: bool, resolution: int, /
    ) -> NDArray[np.float32]:
        setting = replace(recipe, interpolation=method, antialias=antialias, resolution=resolution)
        return context.frozen.features(pixels, setting)

    return interpolation.compare_interpolations(
        train.images, train.labels, resolution=recipe.resolution, features=features,
        k=train.k, seed=recipe.seed, sample=interpolation_images(recipe.resolution),
    )  # fmt: skip


def interpolation_images(side: int) -> int:
    """Number of images on which the interpolations to this side are compared."""
    return max(500, INTERPOLATION_PIXELS // side)


def with_interpolation(plan: StudyPlan, study: StudyConfig, found: Table) -> StudyPlan:
    """The plan with the interpolation that the user chose, or else with the one that the comparison chose."""
    if study.interpolation != "auto":
        recipe = replace(plan.recipe, interpolation=study.interpolation)
    else:
        chosen = found.frame.filter(found.frame["chosen"]).row(0, named=True)
        recipe = replace(plan.recipe, interpolation=chosen["method"], antialias=chosen["antialias"])
    return plan.model_copy(update={"recipe": recipe})
