"""How long each arm can train so that all of them fit into the budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from deepsight.model.hardware.throughput import Throughput

LEAST_STEPS = 60  # 7,680 images in batches of 128; shorter trainings say little
PASSES = 2.0  # an arm gets at most as many rows as its steps can pass over this many times
HEAD_SECONDS = 2.0  # for the linear probe; less on a faster machine

ThroughputOf = Callable[[str, int], Throughput]


@dataclass(frozen=True)
class Demand:
    """The properties of an arm that determine its cost.

    Attributes:
        name: of the treatment.
        backbone, resolution: determine its speed; an empty backbone means the run's.
        same_epochs: whether it gets as many passes as the control, whatever they cost.
        own_views: whether it needs its own cached views.
    """

    name: str
    backbone: str
    resolution: int
    same_epochs: bool = False
    own_views: bool = False


@dataclass(frozen=True)
class TrialSize:
    """Numbers of images, and the parts of the recipe that determine the cost.

    Attributes:
        train, validation, test: images in each split.
        batch: images per optimiser step.
        views: cached augmented views per image.
        epochs: passes over the training images.
    """

    train: int
    validation: int
    test: int
    batch: int
    views: int
    epochs: float


def rows_for(steps: int, size: TrialSize) -> int:
    """Training rows of an arm: as many as its steps pass over twice, at least one batch."""
    passes = min(PASSES, size.epochs)
    return min(size.train, max(size.batch, int(steps * size.batch / passes)))


def arm_steps(demand: Demand, control: Demand, steps: int, rates: ThroughputOf) -> int:
    """Steps that cost as much as the control's; with equal epochs, as many as the control's."""
    if demand.same_epochs or (demand.backbone, demand.resolution) == (control.backbone, control.resolution):
        return steps
    speed = rates(demand.backbone, demand.resolution).step / rates(control.backbone, control.resolution).step
    return max(1, round(steps * speed))


def predict_seconds(
    arms: Sequence[Demand],
    steps: int,
    rates: ThroughputOf,
    size: TrialSize,
    seeds: int,
    *,
    spare: bool = True,
) -> float:
    """Seconds for the checkpoints, all arms and seeds, and the final test; the control comes first.

    `spare` adds an arm for the combination of treatments that helped.
    """
    control, rows = arms[0], rows_for(steps, size)
    trained = [arm_seconds(arm, arm_steps(arm, control, steps, rates), rates, size) for arm in arms]
    more = trained[0] if spare and len(arms) > 2 else 0.0
    opened = final_test_seconds(arms, rates, size, seeds)
    return checkpoint_seconds(arms, rows, rates, size) + seeds * (sum(trained) + more) + opened


def final_test_seconds(arms: Sequence[Demand], rates: ThroughputOf, size: TrialSize, seeds: int) -> float:
    """Seconds to predict test with all seeds of the control and of a winner, possibly the slowest arm."""
    speeds = [rates(arm.backbone, arm.resolution) for arm in arms]
    slowest = max(size.test / speed.frozen + seeds * size.test / speed.trainable for speed in speeds)
    own = size.test / speeds[0].frozen + seeds * size.test / speeds[0].trainable
    same = len({(arm.backbone, arm.resolution) for arm in arms}) == 1
    return own + slowest - (size.test / speeds[0].frozen if same else 0.0)


def arm_seconds(arm: Demand, steps: int, rates: ThroughputOf, size: TrialSize) -> float:
    """Seconds for one training and its predictions on validation."""
    speed = rates(arm.backbone, arm.resolution)
    return steps * size.batch / speed.step + size.validation / speed.trainable


def checkpoint_seconds(arms: Sequence[Demand], rows: int, rates: ThroughputOf, size: TrialSize) -> float:
    """Seconds for the linear probes and cached views, which arms of one backbone and resolution share."""
    views = min(size.views, ceil(min(PASSES, size.epochs)))
    seconds = 0.0
    for backbone, resolution in dict.fromkeys((arm.backbone, arm.resolution) for arm in arms):
        speed = rates(backbone, resolution)
        seconds += views * rows / speed.view + size.validation / speed.frozen
        seconds += min(rows, 10_000) / speed.probed + HEAD_SECONDS
    for arm in arms:
        if arm.own_views:
            seconds += views * rows / rates(arm.backbone, arm.resolution).view
    return seconds
