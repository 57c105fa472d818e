"""Keeps a study within its budget: later stages shrink if earlier ones took longer, and use spare time."""

import time
from dataclasses import asdict, replace

import numpy as np

from deepsight.config import StudyPlan
from deepsight.interpret.levers.sizes import LEAST, LeverSizes, smaller_of
from deepsight.model import plan_search as planner
from deepsight.model.hardware.throughput import fused_copy, measured_throughput
from deepsight.workflows.planning.examination_sizes import (
    SAMPLED_MOST,
    planned_sizes,
    sample_sizes_of,
    sample_sizes_of_plan,
    seconds_of_a_mask,
)
from deepsight.workflows.planning.study_plan import counted, plan_levers, training_seconds
from deepsight.workflows.study_context import Context, Promise

NOTEWORTHY = 0.1  # the training is shortened only by at least this share of its epochs
GROWTH = 0.8  # share of the predicted spare time that larger samples may use
LATER = ("predict", "interpret", "levers", "report")  # stages after the training
LIMITS = (0.2, 5.0)  # of a measured slowdown, so that one odd moment decides little


def pace_training(context: Context) -> StudyPlan:
    """The plan, with fewer epochs if the stages so far took longer or the machine has become slower.

    The speed is measured again. A plan that this process did not make, or that still fits, is returned
    unchanged.
    """
    plan, promise = context.plan, context.promise
    if promise is None:
        return plan
    network = fused_copy(
        context.pretrained, plan.recipe, k=len(context.splits.classes), device=context.fabric.device
    )
    side = plan.recipe.resolution
    speed = measured_throughput(network, context.pretrained, plan.recipe, (side,))[side]
    slower = slowdown(promise.speed.step / speed.step)
    later = sum(plan.predicted_seconds.get(name, 0.0) for name in LATER) * slower
    seconds = left(context, promise) - later
    paced = planner.shortened(plan.recipe, plan.train_rows, speed, promise.work, seconds)
    if paced.recipe.epochs > (1 - NOTEWORTHY) * plan.recipe.epochs:
        return plan
    expected = planner.predict_plan(paced.recipe, plan.train_rows, promise.speed, promise.work)
    context.promise = replace(promise, training=training_seconds(expected))
    context.log(
        f"Too little time for {counted(plan.recipe.epochs, 'epoch')}: {paced.recipe.epochs:g} instead. "
        f"{left(context, promise):.0f} s are left, and a step takes {slower:.1f} times as long as before."
    )
    return plan.model_copy(update={"recipe": paced.recipe})


def pace_examination(context: Context) -> StudyPlan:
    """The plan, with sample sizes that fit into the time left; smaller or larger than planned."""
    plan, promise = context.plan, context.promise
    if promise is None:
        return plan
    mask_seconds = seconds_of_a_mask(context.splits.test)
    slower = slowdown(mask_seconds / promise.mask_seconds)
    fixed = promise.work.fixed["interpret"] - promise.sampled + promise.work.fixed["report"]
    fixed += promise.work.fixed.get("levers", 0.0)
    seconds = left(context, promise) - slower * fixed
    if seconds > promise.sampled:
        seconds = min(promise.sampled + GROWTH * (seconds - promise.sampled), SAMPLED_MOST)
    sizes = sample_sizes_of(
        max(seconds, 0.0),
        promise.speed.forward / training_slowdown(context, promise),
        mask_seconds,
        promise.contention,
    )
    if sizes == sample_sizes_of_plan(plan):
        return plan
    return plan.model_copy(update=planned_sizes(sizes))


def pace_levers(context: Context) -> StudyPlan:
    """The plan, with sizes of the levers' trials that fit into the time left; never larger than planned.

    The smallest trials run in any case: what would help is the question that a study answers.
    """
    plan, promise = context.plan, context.promise
    if promise is None or not plan.lever_sizes:
        return plan
    seconds = min(
        promise.work.fixed.get("levers", 0.0), left(context, promise) - promise.work.fixed["report"]
    )
    slower = training_slowdown(context, promise)
    sizes = plan_levers(
        max(seconds, 0.0) / slower, promise.speed, promise.mask_seconds, plan.train_rows, plan.recipe.epochs
    )
    least = smaller_of(LEAST, LeverSizes(**plan.lever_sizes))
    if sizes.images < least.images:
        context.log(
            "Time is short: the levers get their smallest trials, and the study takes a little longer."
        )
        sizes = least
    return plan.model_copy(update={"lever_sizes": asdict(sizes)})


def left(context: Context, promise: Promise) -> float:
    """Seconds of the budget that are left."""
    return promise.budget - (time.perf_counter() - context.began)


def training_slowdown(context: Context, promise: Promise) -> float:
    """How many times as long the training took as planned, within LIMITS; 1 if unknown."""
    took = sum(context.seconds.get(name, 0.0) for name in ("frozen", "finetune"))
    return slowdown(took / promise.training if promise.training and took else 1.0)


def slowdown(ratio: float) -> float:
    """A ratio of times, clipped to LIMITS."""
    return float(np.clip(ratio, *LIMITS))
