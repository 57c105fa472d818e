"""Training labels: what leaving out suspected images gains, against leaving out as many others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Bools, Ints, Reals
from deepsight.core.evidence import Table
from deepsight.interpret.levers.base import ExaminedImages, LeverOutcome, Retraining
from deepsight.interpret.levers.influence import (
    RidgeHead,
    margin_directions,
    most_influential,
    right_without,
)

SHOWN = 3  # training images shown beside each error


@dataclass(frozen=True)
class LeftOut:
    """Training rows that are left out, and as many others for comparison.

    Attributes:
        name: of the lever.
        arm: what is left out, in words.
        suspects, others: positions in the training split, each (c,).
        advice: what a person then does.
        treatment: name of the treatment that confirms it; empty where there is none.
    """

    name: str
    arm: str
    suspects: Ints
    others: Ints
    advice: str
    treatment: str = ""


def leave_out_flagged(labels: Ints, flagged: Bools, rows: Ints, *, seed: int) -> LeftOut:
    """The training images whose label is flagged as wrong, and as many others of the same given classes."""
    suspects = np.flatnonzero(flagged)
    return LeftOut(
        "leaving out flagged labels",
        f"without the {len(suspects)} training images whose label is flagged",
        suspects,
        matched_rows(labels, suspects, rows, seed=seed),
        f"Review the {len(suspects)} flagged training labels.",
        "drop_mislabelled",
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
    """As many rows of each class as are chosen of it, drawn at random from the others at hand."""
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


def judge_left_out(
    examined: ExaminedImages, left_out: LeftOut, arm: Sequence[Reals], control: Sequence[Reals], *,
    seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """What leaving the suspects out does, replicate by replicate.

    Args:
        examined: the images.
        left_out: what was left out.
        arm, control: logits (m, k) of each replicate.
        seconds: that all trainings took.
    """
    right = examined.right(np.stack(arm))
    counts = right.sum(axis=0).astype(int)
    return LeverOutcome(
        name=left_out.name,
        arm=f"last stage trained {left_out.arm}",
        control=f"the same without {len(left_out.others)} other images of the same classes",
        examined=examined,
        arm_right=right,
        control_right=examined.right(np.stack(control)),
        advice=left_out.advice,
        treatment=left_out.treatment,
        group="labels",
        images=len(left_out.suspects),
        seconds=seconds,
        paired=True,
        evidence=tuple(f"right in {n} of {len(arm)} trainings {left_out.arm}" for n in counts),
    )


def influence_table(
    examined: ExaminedImages, head: RidgeHead, features: Reals, train_ids: Ints, train_labels: Ints,
    ids: Ints, classes: Sequence[str],
) -> Table:  # fmt: skip
    """The training images behind each error: evidence table `influence`, the strongest first of each error.

    Args:
        examined: the images; only the errors get rows.
        head: the closed-form head on the model's features of the training rows.
        features: (m, d), the model's features of the examined images.
        train_ids, train_labels: of the head's rows.
        ids: int64 (m,), ids of the examined images.
        classes: k names.
    """
    wrong = np.flatnonzero(examined.wrong)
    directions = margin_directions(examined.labels[wrong], examined.predicted[wrong], len(classes))
    rows, moved = most_influential(head, features[wrong], directions, SHOWN)
    mended = right_without(head, features[wrong], examined.labels[wrong], rows)
    before = head.outputs(features[wrong]).argmax(axis=1) == examined.labels[wrong]
    records: list[dict[str, Any]] = [
        {
            "index": int(ids[image]),
            "rank": rank + 1,
            "train_index": int(train_ids[row]),
            "train_label": classes[int(train_labels[row])],
            "moved": float(moved[place, rank]),
            "mended": bool(mended[place] and not before[place]),
        }
        for place, image in enumerate(wrong)
        for rank, row in enumerate(rows[place])
    ]
    schema = {
        "index": pl.Int64,
        "rank": pl.Int64,
        "train_index": pl.Int64,
        "train_label": pl.String,
        "moved": pl.Float64,
        "mended": pl.Boolean,
    }
    frame = pl.DataFrame(records, schema=schema)
    count = int(frame.filter(rank=1)["mended"].sum())
    return Table(
        frame,
        {
            "index": "row of the error in the official order of test",
            "rank": "1 is the strongest",
            "train_index": "row of the training image in the official order of its part",
            "train_label": "its given class",
            "moved": "what its absence adds to the margin of the true class",
            "mended": f"whether a closed-form head without these {SHOWN} gets the error right",
        },
        len(wrong),
        "Exact influence on a ridge head on the model's features, by leaving out (Woodbury identity).",
        f"Leaving out the {SHOWN} most influential training images mends {count} of {len(wrong)} errors in a "
        "closed-form head.",
    )
