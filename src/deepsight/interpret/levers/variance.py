"""Variance of training: would other trainings of the same recipe get these images right?"""

from itertools import combinations

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.core.evidence import Table
from deepsight.core.predictions import softmax
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome
from deepsight.interpret.levers.tools import LAST_STAGE, Retraining

# From trainings of the last stage to whole trainings, whose other stages differ too: measured once, for
# EfficientNet-Lite0 at 64 px on 2,400 images (0.166 for 0.129 of the errors, four trainings each).
STAGE_TO_WHOLE = (1.25, 0.35)


def bootstrap_retrainings(train_rows: int, count: int, *, seed: int, size: int) -> list[Retraining]:
    """Trainings of the last stage, each on its own bootstrap sample of the rows.

    Args:
        train_rows: rows to draw from.
        count: trainings.
        seed: of the samples and of the trainings.
        size: rows of each sample.
    """
    rng = np.random.default_rng([seed, 11])
    return [Retraining(np.sort(rng.integers(train_rows, size=size)), seed + r) for r in range(count)]


def try_variance(
    examined: ExaminedImages, logits: Reals, *, trained: str = LAST_STAGE, seconds: float = 0.0
) -> LeverOutcome:
    """Average r retrainings, against a single one of them.

    The class that most retrainings predict is the main prediction (Domingos 2000): where it is right, the
    error is due to variance; where all predict the same wrong class, it is systematic.

    Args:
        examined: the images.
        logits: (r, m, k), of each retraining.
        trained: what was trained, in words; the effect on trainings of the last stage is extrapolated to
            whole trainings.
        seconds: computing time of the retrainings.
    """
    members = np.stack([softmax(each) for each in logits])
    votes = members.argmax(axis=2)
    right = (votes == examined.labels).sum(axis=0)
    stuck = same_wrong_class(examined.labels, members)
    r = len(members)
    return LeverOutcome(
        name="averaging several trainings",
        arm=f"average of {r} trainings of {trained}, each on its own bootstrap sample",
        control="one of these trainings",
        examined=examined,
        arm_right=examined.right(members.mean(axis=0))[None],
        control_right=examined.right(members),
        advice=f"Train {r} times with different seeds and average the probabilities.",
        group="variance",
        seconds=seconds,
        members=members,
        factor=STAGE_TO_WHOLE if trained == LAST_STAGE else (1.0, 0.0),
        strength=right / r - examined.own_right,
        evidence=tuple(
            f"the same wrong class in all {r} retrainings" if same else f"right in {n} of {r} retrainings"
            for n, same in zip(right, stuck, strict=True)
        ),
    )


def times_the_errors(outcome: LeverOutcome) -> float:
    """The errors of a single retraining, as a multiple of the model's own (taken as at least one)."""
    examined = outcome.examined
    wrong = float(examined.weights @ (1 - outcome.control_right.mean(axis=0)))
    return wrong / max(examined.errors, 1)


def same_wrong_class(labels: Ints, logits: Reals) -> Floats:
    """1 where all trainings (r, m, k) predict the same wrong class, else 0: (m,)."""
    votes = logits.argmax(axis=2)
    agreed = (votes == votes[0]).all(axis=0)
    return np.asarray(agreed & (votes[0] != labels), dtype=np.float64)


def gain_of_members(examined: ExaminedImages, members: Floats, count: int) -> float:
    """Gain in accuracy of averaging `count` of the r trainings, mean over all subsets of that size."""
    gains = [
        examined.weights
        @ (
            examined.right(members[list(chosen)].mean(axis=0))
            - examined.right(members[list(chosen)]).mean(axis=0)
        )
        for chosen in combinations(range(len(members)), count)
    ]
    return float(np.mean(gains)) / examined.n


def ensembles_table(examined: ExaminedImages, logits: Reals, factor: float) -> Table:
    """The gain of ensembles over a single training, by their size: evidence table `lever_ensembles`.

    Args:
        examined: the images.
        logits: (r, m, k), of each retraining.
        factor: from the gain of these retrainings to that of whole trainings.
    """
    members = np.stack([softmax(each) for each in logits])
    sizes = range(2, len(members) + 1)
    points = [factor * gain_of_members(examined, members, size) for size in sizes]
    frame = pl.DataFrame(
        {"trainings": list(sizes), "points": points},
        schema={"trainings": pl.Int64, "points": pl.Float64},
    )
    said = ", ".join(f"{100 * gain:+.1f} with {size}" for size, gain in zip(sizes, points, strict=True))
    return Table(
        frame,
        {"trainings": "trainings averaged", "points": "expected gain in accuracy over a single one"},
        examined.n,
        "Mean over all subsets of the retrainings, extrapolated to whole trainings as in `levers`.",
        f"Gain in accuracy from averaging trainings, in points: {said or 'not known from one training'}.",
    )
