"""More data: what a part of the rows costs, and so what more of them would gain."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.core.evidence import Table
from deepsight.interpret.levers.base import ExaminedImages, LeverOutcome, Retraining

EXPONENT = 0.8  # of the learning curve error = floor + scale · rows^-EXPONENT: docs/decisions/0005-planner.md
EXPONENTS = (0.5, 1.1)  # where it may lie
MOST_IMAGES = 1e7  # a class that would need more images for a point gains nothing from them


def part_of_rows(labels: Ints, share: float, *, seed: int, replicate: int = 0) -> Ints:
    """Positions of a share of the rows, in the same share of every class; replicates do not overlap.

    As far as the rows last: with a share of a fourth there are four such parts.
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
        Retraining(part_of_rows(labels, share, seed=seed, replicate=r), seed + r, "recipe")
        for r in range(count)
    ]


def growth_factor(share: float, times: float, exponent: float = EXPONENT) -> float:
    """Gain from `times` as many rows, over the loss from only a `share` of them.

    With error = floor + scale · rows^-b the floor and the scale drop out: (1 - times^-b) / (share^-b - 1).
    """
    return float((1 - times**-exponent) / (share**-exponent - 1))


def try_more_data(
    examined: ExaminedImages, parts: Sequence[Reals], *,
    share: float, rows: int, times: float = 2.0, seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """What `times` as many rows would gain, from what a share of them loses.

    The arm is the model itself, the control the same recipe on a part of its rows. The gain from more rows
    follows from the shape of the learning curve; the uncertainty of its exponent goes into the interval.

    Args:
        examined: the images.
        parts: logits (m, k) of each training on a part of the rows.
        share: of the rows in each part, below 1.
        rows: training rows of the model.
        times: as many rows as are asked about.
        seconds: that the trainings took.
    """
    right = np.where(examined.wrong, 0.0, 1.0)[None]
    part = examined.right(np.stack(parts))
    # A share of the errors of the model, not of those of the part, which errs more.
    scale = float(examined.weights @ (1 - part.mean(axis=0))) / max(examined.errors, 1e-9)
    factors = [growth_factor(share, times, b) for b in (EXPONENTS[0], EXPONENT, EXPONENTS[1])]
    spread = (max(factors) - min(factors)) / 4  # the ends as two standard errors to either side
    return LeverOutcome(
        name="twice the images" if times == 2 else f"{times:g} times the images",
        arm=f"the model's {rows:,} rows, extrapolated to {times:g} times as many",
        control=f"the model's recipe on {share:.0%} of the rows, {len(parts)} training(s)",
        examined=examined,
        arm_right=right,
        control_right=part,
        advice=f"Label about {round((times - 1) * rows, -2):,.0f} more images.",
        group="data",
        images=round((times - 1) * rows),
        seconds=seconds,
        strength=np.zeros(len(examined)),  # a part of the rows names no single error
        factor=(factors[1] * scale, spread * scale),
    )


def class_gains_table(
    examined: ExaminedImages, parts: Sequence[Reals], train_labels: Ints, classes: Sequence[str], *,
    share: float, times: float = 2.0,
) -> Table:  # fmt: skip
    """What more images of each class would gain: evidence table `lever_data`, the largest gain first.

    A class learns from the others' images too, so a gain is for more images of all classes; its order says
    which to label next. Rates of small classes are drawn towards the mean of all (empirical Bayes).

    Args:
        examined: the images.
        parts: logits (m, k) of each training on a part of the rows.
        train_labels: of the model's training rows.
        classes: k names.
        share: of the rows in each part.
        times: as many rows as are asked about.
    """
    lost = examined.right(np.stack(parts)).mean(axis=0)
    drop = np.where(examined.wrong, 0.0, 1.0) - lost
    weight = np.array([examined.weights[examined.labels == c].sum() for c in range(len(classes))])
    mean, error = class_means(drop, examined, len(classes))
    gain = growth_factor(share, times) * shrunk(mean, error, weight)
    counts = np.bincount(train_labels, minlength=len(classes))
    points = gain * weight / max(weight.sum(), 1)
    with np.errstate(divide="ignore"):
        needed = np.where(points > 0, 0.01 * (times - 1) * counts / np.maximum(points, 1e-12), np.inf)
    frame = pl.DataFrame(
        {
            "class": list(classes),
            "n": np.round(weight).astype(np.int64),
            "train_rows": counts,
            "recall_drop": mean,
            "recall_gain": gain,
            "points": points,
            "images_for_a_point": [int(x) if x < MOST_IMAGES else None for x in needed],
        },
        schema_overrides={"images_for_a_point": pl.Int64},
    ).sort("points", descending=True, maintain_order=True)
    return Table(
        frame,
        {
            "class": "class name",
            "n": "test images",
            "train_rows": "training images of the class",
            "recall_drop": f"recall with all rows minus recall with {share:.0%} of them",
            "recall_gain": f"expected gain in recall from {times:g} times the images",
            "points": "the same in accuracy over all test images",
            "images_for_a_point": "images of the class for one point of accuracy at that rate, or null",
        },
        examined.n,
        f"The model's recipe on {share:.0%} of the rows; learning curve with exponent {EXPONENT:g}; classes "
        "shrunk towards their mean.",
        next_to_label(frame),
    )


def class_means(values: Floats, examined: ExaminedImages, k: int) -> tuple[Floats, Floats]:
    """Weighted mean of the values in each class and its standard error, both (k,)."""
    mean, error = np.zeros(k), np.full(k, np.inf)
    for c in range(k):
        own = examined.labels == c
        weight = examined.weights[own]
        if own.any():
            mean[c] = weight @ values[own] / weight.sum()
            error[c] = np.sqrt(weight**2 @ (values[own] - mean[c]) ** 2) / weight.sum()
    return mean, error


def shrunk(mean: Floats, error: Floats, weight: Floats) -> Floats:
    """Means drawn towards that of all, the more the less is known of each (James & Stein 1961)."""
    known = np.isfinite(error)
    if known.sum() < 3:
        return mean
    whole = float(weight[known] @ mean[known] / weight[known].sum())
    between = max(0.0, float(mean[known].var(ddof=1) - (error[known] ** 2).mean()))
    trust = np.where(known, between / (between + np.where(known, error, 1.0) ** 2 + 1e-12), 0.0)
    return np.asarray(whole + trust * (mean - whole))


def next_to_label(frame: pl.DataFrame) -> str:
    """Which classes to label next, in a sentence."""
    first = frame.filter(pl.col("points") > 0).head(3)
    if first.is_empty():
        return "More images of no class are expected to help."
    names = ", ".join(
        f"{name} ({100 * gain:+.1f} points)" for name, gain in first.select("class", "points").rows()
    )
    return f"Label images of these classes next: {names}."
