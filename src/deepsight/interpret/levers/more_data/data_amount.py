"""More data: the gain from more rows, extrapolated from the loss with only a part of them."""

from collections.abc import Sequence

import numpy as np

from deepsight.core.array_types import Ints, Reals
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome
from deepsight.interpret.levers.tools import Retraining

# Of the learning curve error = floor + scale · rows^-b: docs/decisions/0116-the-curve-of-more-images.md
EXPONENT = 0.4
EXPONENTS = (0.25, 0.8)  # its plausible range
RECIPE = "the model's recipe"
MOST_TIMES = 4.0  # times the model's rows, used and unused ones together


def stratified_share(labels: Ints, share: float, *, seed: int, replicate: int = 0) -> Ints:
    """Positions of a share of the rows, stratified by class, ascending.

    Replicates do not overlap as far as the rows last: with a share of a quarter there are four such parts.
    """
    order = np.random.default_rng([seed, 12]).permutation(len(labels))
    chosen = []
    for c in np.unique(labels):
        own = order[labels[order] == c]
        size = max(1, round(share * len(own)))
        start = (replicate * size) % max(len(own) - size + 1, 1)
        chosen.append(own[start : start + size])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def part_retrainings(labels: Ints, share: float, count: int, *, seed: int) -> list[Retraining]:
    """Trainings by the model's own recipe, each on its own part of the rows."""
    return [
        Retraining(stratified_share(labels, share, seed=seed, replicate=r), seed + r, "recipe")
        for r in range(count)
    ]


def growth_factor(share: float, times: float, exponent: float = EXPONENT) -> float:
    """Gain from `times` as many rows, divided by the loss from only a `share` of them.

    With error = floor + scale · rows^-b the floor and the scale drop out: (1 - times^-b) / (share^-b - 1).
    """
    return float((1 - times**-exponent) / (share**-exponent - 1))


def more_images(times: float) -> str:
    """A multiple of the images in words: "twice the images", "3 times the images"."""
    return "twice the images" if times == 2 else f"{times:g} times the images"


def try_more_data(
    examined: ExaminedImages, parts: Sequence[Reals], *,
    share: float, rows: int, times: float = 2.0, whole: Reals | None = None, trained: str = RECIPE,
    seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """What `times` as many rows would gain, from what a share of them loses.

    The arm is the model itself, the control the same recipe on a part of its rows. The gain from more rows
    follows from the shape of the learning curve; the uncertainty of its exponent goes into the interval.

    Args:
        examined: the images.
        parts: logits (m, k) of each training on a part of the rows.
        share: of the rows in each part, below 1.
        rows: training rows of the model.
        times: the factor on the number of rows.
        whole: logits (m, k) of the same training on all rows; None takes those of the model itself.
        trained: what was trained, in words.
        seconds: computing time of the trainings.
    """
    right = examined.own_right if whole is None else examined.right(whole)
    part = examined.right(np.stack(parts))
    # As a share of the errors with all rows, not of the more numerous ones with a part of them.
    errors = (float(examined.weights @ (1 - each)) for each in (part.mean(axis=0), right))
    scale = next(errors) / max(next(errors), 1e-9)
    factor = growth_factor(share, times)
    # The farther end of the range is two standard errors away.
    spread = max(abs(growth_factor(share, times, b) - factor) for b in EXPONENTS) / 2
    return LeverOutcome(
        name=more_images(times),
        arm=f"all {rows:,} rows, extrapolated to {times:g} times as many",
        control=f"{trained} on {share:.0%} of the rows, {len(parts)} training{'s' if len(parts) > 1 else ''}",
        examined=examined,
        arm_right=right[None],
        control_right=part,
        advice=f"Label about {round((times - 1) * rows, -2):,.0f} more images.",
        group="data",
        images=round((times - 1) * rows),
        seconds=seconds,
        strength=np.zeros(len(examined)),  # a part of the rows tells nothing about single errors
        factor=(factor * scale, spread * scale),
    )


def unused_retrainings(
    rows: int, unused: int, count: int, *, seed: int
) -> tuple[list[Retraining], list[Retraining]]:
    """Trainings on the rows and unused ones, and as many on the rows alone, all of equally many steps.

    Args:
        rows: training rows of the model.
        unused: rows that the plan left out; at most three times as many as `rows` are taken.
        count: trainings of either side; replicate r of both has the same seed.
        seed: of the trainings.
    """
    more = min(unused, int((MOST_TIMES - 1) * rows))
    rng = np.random.default_rng([seed, 18])
    arm, control = [], []
    for r in range(count):
        added = rows + np.sort(rng.permutation(unused)[:more])
        everything = np.concatenate([np.arange(rows), added]).astype(np.int64)
        arm.append(Retraining(everything, seed + r, "recipe", rows / len(everything)))
        control.append(Retraining(np.arange(rows), seed + r, "recipe"))
    return arm, control


def judge_unused(
    examined: ExaminedImages, arm: Sequence[Reals], control: Sequence[Reals], *,
    rows: int, more: int, seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """The effect of the rows that the plan left unused, replicate by replicate.

    Args:
        examined: the images.
        arm, control: logits (m, k) of each replicate.
        rows: training rows of the model.
        more: unused rows added in the arm.
        seconds: computing time of the trainings.
    """
    counts = examined.right(np.stack(arm)).sum(axis=0).astype(int)
    return LeverOutcome(
        name="the unused images",
        arm=f"the model's recipe on its {rows:,} rows and {more:,} unused ones, equal steps",
        control=f"the model's recipe on its {rows:,} rows, equal steps",
        examined=examined,
        arm_right=examined.right(np.stack(arm)),
        control_right=examined.right(np.stack(control)),
        advice=f"Train on the {more:,} images that the plan left out, without more passes.",
        group="data",
        seconds=seconds,
        paired=True,
        evidence=tuple(f"right in {n} of {len(arm)} trainings with the unused images" for n in counts),
    )
