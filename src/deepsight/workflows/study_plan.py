"""The plan of a study: resolution, training images and epochs that fit into the minutes on this machine."""

import time
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.dataset import Dataset, Splits
from deepsight.core.environment import machine_mb, peak_rss_mb, rss_mb
from deepsight.core.errors import UsageError
from deepsight.core.evidence import Table
from deepsight.core.recipe import Recipe
from deepsight.images.resize import Method
from deepsight.interpret.levers.sizes import LeverRates, LeverSizes, affordable_sizes
from deepsight.model import plan_search as planner
from deepsight.model.engine.graphs import StageMapsGraph
from deepsight.model.engine.self_test import fastest_settings
from deepsight.model.engine.settings import use_settings
from deepsight.model.fit import base_recipe
from deepsight.model.hardware.throughput import Throughput, faster_base, fused_copy, measured_throughput
from deepsight.model.pretrained import Pretrained
from deepsight.scrub import interpolation
from deepsight.workflows.context import Context, Promise, rounded
from deepsight.workflows.examination_sizes import (
    SAMPLED,
    SAMPLED_MOST,
    least_sampled_seconds,
    planned_sizes,
    sample_sizes_of,
    seconds_of_a_mask,
)
from deepsight.workflows.folds import planned_folds
from deepsight.workflows.near_duplicates import search_seconds

ROOM = 0.8  # a study plans with at most this share of the machine's memory
# Seconds of a stage whatever the plan, and per image: of all splits, of train, of test. Their sums were
# measured on CIFAR-10; the first is an estimate, as a whole study of 40 images took 7 s of processor time.
# They are scaled by the time that cutting out an object takes.
FIXED = {"scrub": (0.8, 1e-4), "explore": (0.4, 3e-5), "interpret": (6.0, 2.9e-3), "report": (0.8, 0.0)}
MASK_SECONDS = 0.025
SLOWER = (0.5, 3.0)  # limits of that scale, because other images are not cut out as fast as CIFAR-10
ENGINE_SIDE = 128  # pixels; the resolution at which forward engines are compared
LEVERS = 0.12  # share of the budget for the levers, which retrain parts of the model
SAMPLE = 1500  # training images for the map and for proposed hypotheses
INTERPOLATION_PIXELS = 1000 * 64  # images times side in the comparison of interpolations
INTERPOLATIONS = 4  # that differ bit for bit when images are enlarged


def make_plan(context: Context, splits: Splits) -> StudyPlan:
    """Measure this machine and choose the resolution, rows and epochs that fit into the budget."""
    study, pretrained = context.study, context.pretrained
    budget, folds = study.minutes * 60, planned_folds(study, context.obtained)
    if folds > 1:
        context.log(said_of_folds(folds, len(context.obtained.train) + len(context.obtained.test)))
    spent_on_levers = LEVERS * budget if folds == 1 else 0.0  # their controls need one model
    rows = min(len(splits.train), study.train_limit or len(splits.train))
    base = base_recipe(pretrained, study.seed)
    base = replace(base, batch=planner.batch_for(rows, base.batch))
    sides = planned_sides(pretrained, study.resolution, budget)
    network = fused_copy(pretrained, base, k=len(splits.classes), device=context.fabric.device)
    base = faster_base(network, base)
    engine = fastest_settings(StageMapsGraph(network.stages), sides[0] if len(sides) == 1 else ENGINE_SIDE)
    use_settings(engine)
    rates = measured_throughput(network, pretrained, base, sides)
    share = min(SAMPLED * budget, SAMPLED_MOST)
    mask_seconds = seconds_of_a_mask(splits.test)
    slower = float(np.clip(mask_seconds / MASK_SECONDS, *SLOWER))
    fixed = {name: slower * seconds for name, seconds in fixed_seconds(splits).items()}

    def beyond_share(side: int) -> float:
        """Seconds that the smallest samples take beyond their share."""
        return max(0.0, least_sampled_seconds(rates[side].forward, mask_seconds) - share)

    work = planner.Workload(
        rows=rows, validation=len(splits.validation), test=len(splits.test),
        elapsed=time.perf_counter() - context.began,
        fixed={**fixed, "interpret": fixed["interpret"] + share, "levers": spent_on_levers},
        embedded=lambda side: {
            "scrub": INTERPOLATIONS * min(rows, interpolation_images(side)), "explore": min(rows, SAMPLE),
            "interpret": round(beyond_share(side) * rates[side].forward),
        },
        duplicate_seconds=partial(search_seconds, context, slower),
        resident_mb=rss_mb(),
        peak_mb=peak_rss_mb(),
        memory_mb=ROOM * machine_mb(),
        trainings=folds,
    )  # fmt: skip
    best = planner.best_plan(base, rates, work, budget)
    whole = work.elapsed + best.total
    sampled = share + beyond_share(best.recipe.resolution)
    work = replace(work, fixed=work.fixed | {"interpret": fixed["interpret"] + sampled})
    context.promise = Promise(
        max(budget, whole), work, rates[best.recipe.resolution], sampled, mask_seconds, training_seconds(best)
    )
    if whole > budget:
        context.log(
            f"No study of these images fits into --minutes {study.minutes:g} here: the smallest takes "
            f"about {whole:.0f} s and runs anyway."
        )
    levers = plan_levers(
        spent_on_levers, rates[best.recipe.resolution], mask_seconds, best.rows, best.recipe.epochs
    )
    sample_sizes = sample_sizes_of(sampled, rates[best.recipe.resolution].forward, mask_seconds)
    context.log(
        f"Plan: {best.recipe.resolution} px, {best.rows} training images, "
        f"{counted(best.recipe.epochs, 'epoch')}; predicted {best.total:.0f} s and "
        f"{best.peak_mb / 1000:.1f} GB on {counted(torch.get_num_threads(), 'thread')}."
    )
    return StudyPlan(
        backbone=pretrained.name, train_rows=best.rows, recipe=best.recipe, engine=engine,
        folds=folds, **planned_sizes(sample_sizes), lever_sizes=asdict(levers) if folds == 1 else {},
        predicted_seconds=rounded(best.seconds), predicted_peak_mb=round(best.peak_mb),
    )  # fmt: skip


def training_seconds(plan: planner.PlanCandidate) -> float:
    """Seconds that the training of a plan takes."""
    return plan.seconds["frozen"] + plan.seconds["finetune"]


def counted(n: float, what: str) -> str:
    """A number of things, such as "1 epoch" and "1.5 epochs"."""
    return f"{n:g} {what}" if n == 1 else f"{n:g} {what}s"


def said_of_folds(folds: int, n: int) -> str:
    """What folds do, in words."""
    return (
        f"{n:,} images in {folds} folds: each is examined by a model that has not seen it, so {folds} models "
        "are trained and the first is kept. --folds 1 trains one and examines its test part alone."
    )


def planned_sides(pretrained: Pretrained, asked: int | None, budget: float) -> tuple[int, ...]:
    """The resolutions to choose from: what was asked, what the backbone takes, or what suits the budget.

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
    """The sizes of the levers' trials that these seconds pay for; the smallest where they pay for none."""
    rates = LeverRates(
        forward=1 / speed.forward, frozen=1 / speed.frozen, trainable=1 / speed.trainable,
        step=1 / speed.step, mask=mask_seconds,
    )  # fmt: skip
    return affordable_sizes(seconds, rates, rows=rows, epochs=epochs)


def fixed_seconds(splits: Splits) -> dict[str, float]:
    """Seconds of each stage that do not depend on the plan, where FIXED was measured."""
    train, test = len(splits.train), len(splits.test)
    images = {
        "scrub": train + len(splits.validation) + test, "explore": train, "interpret": test, "report": 0
    }  # fmt: skip
    return {name: least + each * images[name] for name, (least, each) in FIXED.items()}


def study_interpolation(context: Context, train: Dataset, recipe: Recipe) -> Table:
    """Compare the interpolations on frozen features; fewer images at higher resolutions."""

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
    """The plan with the interpolation that the user asked for, or with the one that the evidence chose."""
    if study.interpolation != "auto":
        recipe = replace(plan.recipe, interpolation=study.interpolation)
    else:
        chosen = found.frame.filter(found.frame["chosen"]).row(0, named=True)
        recipe = replace(plan.recipe, interpolation=chosen["method"], antialias=chosen["antialias"])
    return plan.model_copy(update={"recipe": recipe})
