"""Training labels: the gain from leaving out suspected images, against leaving out as many others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome
from deepsight.interpret.levers.tools import LAST_STAGE, Retraining
from deepsight.interpret.levers.training_images.influence import RidgeHead

DRAWS = 8  # of as many other images as are left out
UNSURE = 0.25  # standard error of the assumption that the gain is proportional to the share of wrong labels


@dataclass(frozen=True)
class LeftOut:
    """Training rows that are left out, and as many others for comparison.

    Attributes:
        name: of the lever.
        arm: what is left out, in words.
        suspects, others: positions in the training split, each (c,).
        advice: what to do about it.
        treatment: name of the treatment that confirms it; empty where there is none.
        dilution: share of suspects among all training rows divided by their share among the rows at hand; the
            gain is scaled by it.
    """

    name: str
    arm: str
    suspects: Ints
    others: Ints
    advice: str
    treatment: str = ""
    dilution: float = 1.0


def leave_out_flagged(labels: Ints, flagged: Bools, rows: Ints, *, seed: int) -> LeftOut:
    """The training images at hand whose label is flagged, and as many others of the same given classes.

    Flagged rows are preferred among the rows at hand, so their share there is larger than among all rows.

    Args:
        labels: int64 (n,), of all training rows.
        flagged: bool (n,), of all training rows.
        rows: those at hand.
        seed: of the others.
    """
    suspects = rows[flagged[rows]]
    return LeftOut(
        "leaving out flagged labels",
        f"without the {len(suspects)} training images whose label is flagged",
        suspects,
        matched_rows(labels, suspects, rows, seed=seed),
        f"Review the {int(flagged.sum())} flagged training labels.",
        "drop_mislabelled",
        min(1.0, float(flagged.mean() / max(flagged[rows].mean(), 1e-9))),
    )


def leave_out_harmful(labels: Ints, harmful: Ints, rows: Ints, *, seed: int) -> LeftOut:
    """The training images that harm the validation images most, and as many others of the same classes."""
    return LeftOut(
        "leaving out harmful images",
        f"without the {len(harmful)} training images with the most harmful influence on validation",
        harmful,
        matched_rows(labels, harmful, rows, seed=seed),
        f"Review the {len(harmful)} training images with the most harmful influence.",
    )


def matched_rows(labels: Ints, chosen: Ints, rows: Ints, *, seed: int) -> Ints:
    """As many rows of each class as `chosen` holds, drawn at random from the others at hand, ascending.

    Where a class has fewer others, all of them are taken.
    """
    rng = np.random.default_rng([seed, 13])
    free = np.zeros(len(labels), dtype=bool)
    free[rows] = True
    free[chosen] = False
    found = []
    for c, count in zip(*np.unique(labels[chosen], return_counts=True), strict=True):
        pool = np.flatnonzero(free & (labels == c))
        found.append(rng.choice(pool, size=min(count, len(pool)), replace=False))
    return np.sort(np.concatenate(found)).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def label_retrainings(
    rows: Ints, left_out: LeftOut, count: int, *, seed: int, passes: float = 1.0
) -> tuple[list[Retraining], list[Retraining]]:
    """Trainings without the suspects, and trainings with the same seeds without as many others.

    Args:
        rows: training rows at hand; they should hold the suspects and the others.
        left_out: what is left out.
        count: trainings of either side.
        seed: of the trainings.
        passes: over the rows, relative to the recipe's.
    """
    without, control = (np.setdiff1d(rows, gone) for gone in (left_out.suspects, left_out.others))
    return (
        [Retraining(without, seed + r, passes=passes) for r in range(count)],
        [Retraining(control, seed + r, passes=passes) for r in range(count)],
    )


def heads_without(
    head: RidgeHead, features: Reals, rows: Ints, left_out: LeftOut, labels: Ints, *, seed: int
) -> tuple[list[Reals], list[Reals]]:
    """Outputs (m, k) of a closed-form head without the suspects, and without each of several draws of others.

    Such a head has no churn: only the rows left out differ, so that small effects show.

    Args:
        head: fitted on the features of the rows at hand.
        features: (m, d), of the examined images.
        rows: training rows at hand, ascending.
        left_out: what is left out.
        labels: int64 (n,), of all training rows.
        seed: of the draws.
    """
    draws = [matched_rows(labels, left_out.suspects, rows, seed=seed + i) for i in range(DRAWS)]
    said: list[Reals] = [
        head.outputs_without(features, np.searchsorted(rows, gone)) for gone in (left_out.suspects, *draws)
    ]
    return said[:1], said[1:]


def judge_left_out(
    examined: ExaminedImages, left_out: LeftOut, arm: Sequence[Reals], control: Sequence[Reals], *,
    trained: str = LAST_STAGE, seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """The effect of leaving out the suspects.

    Args:
        examined: the images.
        left_out: what was left out.
        arm, control: logits (m, k) of each replicate; of trainings of the last stage, replicate r of both has
            the same seed.
        trained: what was trained, in words.
        seconds: computing time of all trainings.
    """
    right = examined.right(np.stack(arm))
    exact = trained != LAST_STAGE
    return LeverOutcome(
        name=left_out.name if exact else f"{left_out.name}, retrained",
        arm=f"{trained} trained {left_out.arm}",
        control=f"the same without {len(left_out.others)} other images of the same classes"
        + (f", {len(control)} draws" if exact else ""),
        examined=examined,
        arm_right=right,
        control_right=examined.right(np.stack(control)),
        advice=left_out.advice,
        treatment=left_out.treatment,
        group="labels",
        images=len(left_out.suspects),
        seconds=seconds,
        paired=not exact,
        factor=(left_out.dilution, UNSURE * (1 - left_out.dilution)),
        evidence=right_without_words(right, left_out, trained),
    )


def right_without_words(right: Floats, left_out: LeftOut, trained: str) -> tuple[str, ...]:
    """A sentence for each image: in how many trainings it is classified correctly."""
    counts, total = right.sum(axis=0).astype(int), len(right)
    if total > 1:
        return tuple(f"right in {n} of {total} trainings {left_out.arm}" for n in counts)
    return tuple(f"{'right' if n else 'wrong'} in {trained} {left_out.arm}" for n in counts)
