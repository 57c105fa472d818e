"""Resolution, capacity and length: the same rows under another recipe, against the model's own recipe."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepsight.core.array_types import Ints, Reals
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome
from deepsight.interpret.levers.tools import Retraining

# From the relative gain on a part of the rows to that on all, with its standard error.
PART_TO_WHOLE = (1.0, 0.25)
# Of the learning curve error = floor + scale · steps^-b: b, and the largest that is plausible.
STEPS_EXPONENT, LARGEST_STEPS_EXPONENT = 0.8, 1.1
EQUAL_PASSES = ", equal passes"


@dataclass(frozen=True)
class RecipeChange:
    """A change of the recipe that is tried on a part of the rows.

    Attributes:
        name: of the lever.
        arm: what is done, in words.
        advice: what to do about it.
        where: how the evidence refers to it, such as "at 96 px".
        treatment: name of the treatment that confirms it; empty where there is none.
        resolution, backbone, passes: as in `Retraining`.
        cost: time of a step, relative to the model's recipe.
    """

    name: str
    arm: str
    advice: str
    where: str
    treatment: str = ""
    resolution: int = 0
    backbone: str = ""
    passes: float = 1.0
    cost: float = 1.0

    def in_equal_time(self) -> "RecipeChange":
        """The same change with as many passes as take the time of the unchanged recipe."""
        passes = self.passes / self.cost
        return replace(
            self,
            name=f"{self.name} in equal time",
            arm=f"{self.arm.removesuffix(EQUAL_PASSES)}, {passes:.2f} times the passes in the same time",
            advice=f"{self.advice.removesuffix('.')}, and keep --minutes.",
            where=f"{self.where} in equal time",
            passes=passes,
        )

    def retraining(self, rows: Ints, seed: int) -> Retraining:
        """The training that tries it on these rows."""
        return Retraining(rows, seed, "recipe", self.passes, self.resolution, self.backbone)


def resolution_changes(resolution: int, *, step: int = 32) -> list[RecipeChange]:
    """A step up, and a step down where at least two steps are left."""
    found = [
        RecipeChange(
            f"{resolution + step} px",
            f"input of {resolution + step} px instead of {resolution}{EQUAL_PASSES}",
            f"Train at {resolution + step} px: --resolution {resolution + step}.",
            f"at {resolution + step} px",
            "higher_resolution",
            resolution=resolution + step,
            cost=((resolution + step) / resolution) ** 2,
        )
    ]
    if resolution - step >= 2 * step:
        found.append(
            RecipeChange(
                f"{resolution - step} px",
                f"input of {resolution - step} px instead of {resolution}{EQUAL_PASSES}",
                f"Train at {resolution - step} px, with more images or passes in the same time.",
                f"at {resolution - step} px",
                resolution=resolution - step,
                cost=((resolution - step) / resolution) ** 2,
            )
        )
    return found


def length_change(*, times: float = 2.0) -> RecipeChange:
    """More passes over the same rows, or fewer."""
    longer = times > 1
    return RecipeChange(
        "training longer" if longer else "training shorter",
        f"{times:g} times the passes over the same rows",
        f"Give the training {times:g} times the passes: {'more' if longer else 'fewer'} --minutes.",
        f"with {times:g} times the passes",
        passes=times,
    )


def capacity_change(backbone: str, *, cost: float = 1.0) -> RecipeChange:
    """The next deeper backbone of the family, at equal passes.

    Args:
        backbone: its timm name.
        cost: time of a step, relative to the model's backbone.
    """
    return RecipeChange(
        "a deeper backbone",
        f"{backbone} instead of the model's backbone{EQUAL_PASSES}",
        f"Train {backbone}: --backbone {backbone}.",
        f"of {backbone}",
        "deeper_backbone",
        backbone=backbone,
        cost=cost,
    )


def part_to_whole(change: RecipeChange, share: float) -> tuple[float, float]:
    """What carries a relative gain on a share of the rows over to all of them, and its standard error.

    A training on a part of the rows also has so many fewer steps, and steps gain the less the more there
    were: with error = floor + scale · steps^-b, twice the steps gain share^b times as much on all rows where
    the floor is most of the error, and as much where it is nothing. Other changes keep their relative gain.
    """
    factor, error = PART_TO_WHOLE
    if change.cost != 1 or change.passes == 1:
        return factor, error
    spread = (1.0 - share**LARGEST_STEPS_EXPONENT) / 4  # the ends as two standard errors to either side
    return factor * share**STEPS_EXPONENT, math.hypot(error, spread)


def judge_change(
    examined: ExaminedImages, change: RecipeChange, arm: Sequence[Reals], control: Sequence[Reals], *,
    rows: int, share: float, seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """The effect of a change of the recipe, replicate by replicate on the same rows.

    Args:
        examined: the images.
        change: what was tried.
        arm, control: logits (m, k) of each replicate; replicate r of both has the same rows and seed.
        rows: training rows of a replicate.
        share: of all training rows, which these are.
        seconds: computing time of the arm's trainings.
    """
    return LeverOutcome(
        name=change.name,
        arm=f"{change.arm}, on {rows:,} rows",
        control=f"the model's recipe on the same {rows:,} rows",
        examined=examined,
        arm_right=examined.right(np.stack(arm)),
        control_right=examined.right(np.stack(control)),
        advice=change.advice,
        treatment=change.treatment,
        group="recipe",
        seconds=seconds,
        paired=True,
        evidence=right_counts(examined, arm, change.where),
        factor=part_to_whole(change, share),
    )


def right_counts(examined: ExaminedImages, trainings: Sequence[Reals], where: str) -> tuple[str, ...]:
    """A sentence for each image: in how many trainings it is classified correctly."""
    counts = examined.right(np.stack(trainings)).sum(axis=0).astype(int)
    return tuple(f"right in {n} of {len(trainings)} trainings {where}" for n in counts)
