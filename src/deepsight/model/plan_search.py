"""Predicts time and memory of candidate plans from measured throughput, and selects the best that fits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.model.hardware.throughput import Throughput
from deepsight.model.training.linear_probe import PROBE_ROWS

RESOLUTIONS = (64, 96, 128, 160)
LARGE, LARGE_SECONDS = 160, 480  # below this budget the largest resolution is not worth measuring
SHORT_SECONDS = 100  # below this budget only the smallest resolution is measured, to save time
FINE_CELLS = 4  # cells along a side of the last maps from which maps are worth showing
WITHOUT_MAPS = 1.1  # a plan with coarser maps must promise an error smaller by this factor
MOST_PASSES = 12
LEAST_PASS = 0.5  # of a pass, that remains when a plan is shortened
MOST_OVERRUN = 5  # times the budget that the smallest study may take before it is refused
AVERAGED, MOST_AVERAGED = 0.5, 100  # share of the steps averaged, in trainings of fewer steps than this
FEWEST_STEPS = 8  # in a pass; batches become smaller when images are few
STEP_MAPS = 400  # memory of a step, in sizes of the batch's cached maps: docs/decisions/0005-planner.md
# Memory of the examination and the levers beyond the resident one; it grows with the input's side, here from
# 64 px on. Read off ten studies, which took 720 to 2,530 MB (docs/decisions/0005-planner.md).
EXAMINATION_MB, EXAMINATION_MB_PER_PIXEL = 930.0, 27.0
SAVING = 1.0  # seconds to save the model and its predictions

# The error at each resolution, fitted to trainings on CIFAR-10: least + more · (images / 10,000)^-0.74, where
# p passes over n images count as n · p^0.74 (docs/decisions/0005-planner.md). They were scored on training
# images that are set apart, never on test images (benchmarks/recipes). Only the order of plans matters.
LEAST_ERROR = {64: 0.092, 96: 0.070, 128: 0.057, 160: 0.047}
MORE_ERROR = {64: 0.071, 96: 0.038, 128: 0.026, 160: 0.024}
ERROR_EXPONENT, PASS_EXPONENT = -0.74, 0.74


@dataclass(frozen=True)
class PlanCandidate:
    """A possible plan.

    Attributes:
        recipe: the training.
        rows: number of training images.
        seconds: predicted, by stage.
        peak_mb: predicted resident memory.
        error: predicted 1 - macro-F1, only for ranking plans.
        cells: along a side of the last maps.
    """

    recipe: Recipe
    rows: int
    seconds: dict[str, float]
    peak_mb: float
    error: float
    cells: int

    @property
    def total(self) -> float:
        """All stages together, in seconds."""
        return sum(self.seconds.values())

    @property
    def cost(self) -> float:
        """The search's objective: the error, raised by a tenth if the last layer's maps are too coarse."""
        return self.error * (1.0 if self.cells >= FINE_CELLS else WITHOUT_MAPS)


@dataclass(frozen=True)
class Workload:
    """The parts of a study that do not depend on the plan.

    Attributes:
        rows: number of training images available; validation, test: of the other splits.
        trainings: number of models to train, one per fold.
        elapsed: seconds since the process began.
        fixed: seconds of the stages that do not depend on the plan, by stage.
        embedded: number of images that also pass the untrained network at a resolution, by stage.
        duplicate_seconds: of searching this many images for near-duplicates.
        resident_mb: memory before training; peak_mb: its peak so far; memory_mb: of the machine.
    """

    rows: int
    validation: int
    test: int
    elapsed: float
    fixed: dict[str, float]
    embedded: Callable[[int], dict[str, int]]
    duplicate_seconds: Callable[[int], float]
    resident_mb: float
    peak_mb: float
    memory_mb: float
    trainings: int = 1


def resolutions_for(budget: float) -> tuple[int, ...]:
    """The resolutions worth measuring for this budget, in seconds."""
    if budget < SHORT_SECONDS:
        return RESOLUTIONS[:1]
    return tuple(side for side in RESOLUTIONS if side < LARGE or budget >= LARGE_SECONDS)


def predict_plan(recipe: Recipe, rows: int, rates: Throughput, work: Workload) -> PlanCandidate:
    """Seconds by stage and peak memory of a plan on this machine."""
    seen = recipe.epochs * rows
    probed = min(rows, PROBE_ROWS)
    views = min(recipe.views, int(np.ceil(recipe.epochs)))
    passes = int(np.ceil(recipe.epochs)) + 1
    embedded = work.embedded(recipe.resolution)
    around = {name: least + embedded.get(name, 0) / rates.embedded for name, least in work.fixed.items()}
    compared = rows + work.validation + work.test
    seconds = {
        **around,
        "scrub": around["scrub"] + work.duplicate_seconds(compared),
        "frozen": work.trainings
        * (views * rows / rates.view + work.validation / rates.frozen + probed / rates.probed + 2.0),
        "finetune": work.trainings * (seen / rates.step + passes * work.validation / rates.trainable),
        # Test images also pass the trainable stages as they were before fine-tuning: FrozenBackbone.beside.
        "predict": work.trainings * work.test * (2 / rates.forward - 1 / rates.frozen) + SAVING,
    }
    maps_mb = (views * rows + work.validation) * rates.map_bytes / 1e6
    step_mb = recipe.batch * rates.map_bytes * STEP_MAPS / 1e6
    examination_mb = EXAMINATION_MB + EXAMINATION_MB_PER_PIXEL * max(recipe.resolution - 64, 0)
    peak_mb = max(work.peak_mb, work.resident_mb + max(maps_mb + step_mb, examination_mb))
    error = error_of_plan(recipe.resolution, rows, recipe.epochs)
    return PlanCandidate(recipe, rows, seconds, peak_mb, error, rates.cells)


def error_of_plan(resolution: int, rows: int, epochs: float) -> float:
    """Expected 1 - macro-F1 of such a training; an unknown resolution counts as the nearest known one."""
    nearest = min(LEAST_ERROR, key=lambda side: abs(side - resolution))
    images = rows * epochs**PASS_EXPONENT
    return float(LEAST_ERROR[nearest] + MORE_ERROR[nearest] * (images / 10_000) ** ERROR_EXPONENT)


def plan_candidates(
    base: Recipe, rates: dict[int, Throughput], work: Workload, budget: float
) -> list[PlanCandidate]:
    """For each resolution and number of rows, the longest training that fits into the budget in seconds."""
    found = []
    for side, speed in rates.items():
        for rows in row_choices(work.rows):
            at = replace(base, resolution=side)
            one = plan_of_passes(at, 1.0, rows, speed, work)
            spare = budget - work.elapsed - one.total
            if spare < 0:
                continue
            quarters = min(int(4 * spare * speed.step / rows), 4 * (MOST_PASSES - 1))
            longer = (plan_of_passes(at, 1 + more / 4, rows, speed, work) for more in range(quarters, 0, -1))
            found.append(next((plan for plan in longer if plan.total <= budget - work.elapsed), one))
    return found


def plan_of_passes(
    base: Recipe, epochs: float, rows: int, speed: Throughput, work: Workload
) -> PlanCandidate:
    """The plan with this many passes over the rows; the last may be partial."""
    recipe = replace(
        base, epochs=epochs, views=views_for(epochs), averaged=averaged_for(epochs, rows, base.batch)
    )
    return predict_plan(recipe, rows, speed, work)


def averaged_for(epochs: float, rows: int, batch: int) -> float:
    """Share of the steps whose weights are averaged: docs/decisions/0103*.md."""
    return AVERAGED if epochs * (rows // batch) < MOST_AVERAGED else 0.0


def views_for(epochs: float) -> int:
    """Number of cached views for this many passes; two passes do better with one: benchmarks/recipes."""
    return min(max(1, int(epochs) - 1), 6)


def row_choices(rows: int) -> list[int]:
    """Numbers of training rows to try: all, then one eighth fewer each time, down to 2,000."""
    choices = [rows]
    while choices[-1] * 7 // 8 >= 2_000:
        choices.append(choices[-1] * 7 // 8)
    return choices


def best_plan(base: Recipe, rates: dict[int, Throughput], work: Workload, budget: float) -> PlanCandidate:
    """The plan with the lowest predicted error among those that fit into the budget in seconds.

    A resolution whose maps are too coarse to show has to be better by a tenth. Plans that need more memory
    than the machine has are left out, unless all do.

    If nothing fits, this is the smallest study, whose prediction states by how much it overruns.

    Raises:
        UsageError: even the smallest study takes far more than the budget.
    """
    found = plan_candidates(base, rates, work, budget)
    if not found:
        return smallest_plan(base, rates, work, budget)
    roomy = [plan for plan in found if plan.peak_mb <= work.memory_mb]
    return min(roomy or found, key=lambda plan: (plan.cost, plan.total))


def smallest_plan(base: Recipe, rates: dict[int, Throughput], work: Workload, budget: float) -> PlanCandidate:
    """The plan that takes the least time, for a budget in seconds that no plan fits.

    Raises:
        UsageError: it would take more than `MOST_OVERRUN` times the budget; the message says how long.
    """
    fewest = row_choices(work.rows)[-1]
    plans = [
        plan_of_passes(replace(base, resolution=side), 1.0, fewest, speed, work)
        for side, speed in rates.items()
    ]
    least = min(plans, key=lambda plan: plan.total)
    if work.elapsed + least.total > MOST_OVERRUN * budget:
        half_minutes = np.ceil((work.elapsed + least.total) / 30)
        raise UsageError(
            f"Expected enough time for a study, received --minutes {budget / 60:g}. On this machine the "
            f"smallest study of these images takes about --minutes {half_minutes / 2:g}; fewer images "
            "(--train-limit) take less."
        )
    return least


def batch_for(rows: int, most: int) -> int:
    """Images in a batch: a power of two with at least `FEWEST_STEPS` steps in a pass, 8 to `most`."""
    return int(np.clip(2 ** int(np.log2(max(rows / FEWEST_STEPS, 1))), min(8, most), most))


def shortened(recipe: Recipe, rows: int, speed: Throughput, work: Workload, seconds: float) -> PlanCandidate:
    """The plan of the same rows with as many quarter passes, at most the recipe's, as fit into the seconds.

    At least `LEAST_PASS` of a pass remains, however little time there is.
    """
    planned = int(np.ceil(4 * recipe.epochs))
    choices = [quarters / 4 for quarters in range(planned - 1, 0, -1)]
    shorter = [
        replace(
            recipe,
            epochs=epochs,
            views=min(recipe.views, int(np.ceil(epochs))),
            averaged=max(recipe.averaged, averaged_for(epochs, rows, recipe.batch)),
        )
        for epochs in choices
        if epochs >= LEAST_PASS
    ]
    plans = [predict_plan(each, rows, speed, work) for each in (recipe, *shorter)]
    fitting = (plan for plan in plans if plan.seconds["frozen"] + plan.seconds["finetune"] <= seconds)
    return next(fitting, plans[-1])
