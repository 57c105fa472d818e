"""How much each arm may train, so that all of them fit into the minutes that there are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from math import ceil
from typing import Any

from deepsight.core.errors import UsageError
from deepsight.model.throughput import Throughput

LEAST_STEPS = 60  # 7,680 images in batches of 128; fewer say little about a training
PASSES = 2.0  # over the training rows of an arm; more rows are not drawn than steps can pass over twice
HEAD_SECONDS = 2.0  # the closed-form head, less on a faster machine

ThroughputOf = Callable[[str, int], Throughput]


@dataclass(frozen=True)
class Demand:
    """What an arm needs of the machine.

    Attributes:
        name: of the treatment.
        backbone, resolution: decide its speed; an empty backbone is the run's.
        same_epochs: whether it gets the control's passes, whatever they cost.
        own_views: whether it needs cached views of its own.
    """

    name: str
    backbone: str
    resolution: int
    same_epochs: bool = False
    own_views: bool = False


@dataclass(frozen=True)
class Size:
    """Images of each kind, and how they are trained on."""

    train: int
    validation: int
    test: int
    batch: int
    views: int
    epochs: float


@dataclass(frozen=True)
class TrialPlan:
    """What a trial does.

    Attributes:
        rows: training images of every arm.
        seeds: trainings of every arm.
        steps: of the optimiser, by arm, the control first.
        left_out: why a treatment is not run, by name.
        seconds: predicted for all of it.
        opening: the part of these that predicts the test images with the control and the winner.
        resolution, trained_reductions: of the control, as `Recipe` has them; 0 keeps the run's.
    """

    rows: int
    seeds: int
    steps: dict[str, int]
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    opening: float = 0.0
    resolution: int = 0
    trained_reductions: int = 0

    def describe(self) -> dict[str, Any]:
        """As it stands in treatments/plan.json."""
        return asdict(self)


def make_plan(
    control: Demand, demands: Sequence[Demand], rates: ThroughputOf, size: Size, *, budget: float, seeds: int
) -> TrialPlan:
    """The most treatments, and for these the longest training, that fit into the budget.

    Args:
        control: the arm that only trains on.
        demands: of the treatments, the most promising first; the last are left out first.
        rates: speed of a backbone at a resolution on this machine.
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
                allotted = {d.name: steps_of(d, control, steps, rates) for d in arms}
                opening = opening_seconds(arms, rates, size, seeds)
                return TrialPlan(rows_for(steps, size), seeds, allotted, left, seconds, opening)
    raise UsageError(
        f"Expected a budget in which a control and a treatment fit {seeds} times, received {budget:.0f} s. "
        "Give it more minutes."
    )


def step_choices(size: Size) -> Iterator[int]:
    """Numbers of steps to try: the recipe's passes over all rows, then fewer by steps of a tenth."""
    most = round(size.epochs * size.train / size.batch)
    steps = most
    while steps >= min(LEAST_STEPS, most) and steps > 0:
        yield steps
        steps = int(steps * 0.9)


def rows_for(steps: int, size: Size) -> int:
    """Training rows of an arm: as many as its steps pass over twice, and at least a batch."""
    passes = min(PASSES, size.epochs)
    return min(size.train, max(size.batch, int(steps * size.batch / passes)))


def steps_of(demand: Demand, control: Demand, steps: int, rates: ThroughputOf) -> int:
    """The steps that cost what the control's cost; or as many as the control's, at equal epochs."""
    if demand.same_epochs or (demand.backbone, demand.resolution) == (control.backbone, control.resolution):
        return steps
    speed = rates(demand.backbone, demand.resolution).step / rates(control.backbone, control.resolution).step
    return max(1, round(steps * speed))


def predict_seconds(
    arms: Sequence[Demand], steps: int, rates: ThroughputOf, size: Size, seeds: int, *, spare: bool = True
) -> float:
    """Of the starts, of all arms and seeds, and of opening the test; the control stands first.

    `spare` adds one arm more for the combination of those that helped.
    """
    control, rows = arms[0], rows_for(steps, size)
    trained = [arm_seconds(arm, steps_of(arm, control, steps, rates), rates, size) for arm in arms]
    more = trained[0] if spare and len(arms) > 2 else 0.0
    opened = opening_seconds(arms, rates, size, seeds)
    return starts_seconds(arms, rows, rates, size) + seeds * (sum(trained) + more) + opened


def opening_seconds(arms: Sequence[Demand], rates: ThroughputOf, size: Size, seeds: int) -> float:
    """Of predicting test with all seeds of the control and of a winner, which may be the slowest arm."""
    speeds = [rates(arm.backbone, arm.resolution) for arm in arms]
    slowest = max(size.test / speed.frozen + seeds * size.test / speed.trainable for speed in speeds)
    own = size.test / speeds[0].frozen + seeds * size.test / speeds[0].trainable
    same = len({(arm.backbone, arm.resolution) for arm in arms}) == 1
    return own + slowest - (size.test / speeds[0].frozen if same else 0.0)


def arm_seconds(arm: Demand, steps: int, rates: ThroughputOf, size: Size) -> float:
    """Of one training and its predictions on validation."""
    speed = rates(arm.backbone, arm.resolution)
    return steps * size.batch / speed.step + size.validation / speed.trainable


def starts_seconds(arms: Sequence[Demand], rows: int, rates: ThroughputOf, size: Size) -> float:
    """Of the frozen phases and of all cached views; arms of one backbone and resolution share them."""
    views = min(size.views, ceil(min(PASSES, size.epochs)))
    seconds = 0.0
    for backbone, resolution in dict.fromkeys((arm.backbone, arm.resolution) for arm in arms):
        speed = rates(backbone, resolution)
        seconds += views * rows / speed.view + size.validation / speed.frozen
        seconds += min(rows, 10_000) / speed.trainable + HEAD_SECONDS
    for arm in arms:
        if arm.own_views:
            seconds += views * rows / rates(arm.backbone, arm.resolution).view
    return seconds
