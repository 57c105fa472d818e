"""The causes of each error: the levers that fix it, each with its local false discovery rate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from sklearn.isotonic import isotonic_regression

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.evidence import Table
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome

NAMED = 0.2  # largest local false discovery rate of a cause that is named
DIGITS = 3  # decimals to which strengths are compared
SYSTEMATIC = "systematic: resists every lever"
UNDECIDED = "undecided: fixed no more often than by chance"

# The cause that each group of levers supports, as the ledger names it.
GROUP_CAUSES = {
    "variance": "chance of the training",
    "data": "too few training images",
    "recipe": "recipe",
    "fragility": "fragile answer",
    "labels": "training labels",
    "background": "background reliance",
    "quality": "degraded image",
    "decision": "decision rule",
}


def lever_errors_table(
    outcomes: Sequence[LeverOutcome], examined: ExaminedImages, ids: Ints, classes: Sequence[str]
) -> Table:
    """One row per examined error: evidence table `lever_errors`.

    An error resists every lever where no arm gets it right in most of its tries. A lever is a supported cause
    where its local false discovery rate is at most 0.2.

    Args:
        outcomes: one per lever; placebos are left out, and extrapolated gains support no single error.
        examined: all examined images.
        ids: int64 (m,), rows in the official order of test.
        classes: k names.
    """
    errors = np.flatnonzero(examined.wrong)
    speaking = [o for o in outcomes if o.group in GROUP_CAUSES]
    rates = np.stack([spread_to(o, examined, local_fdr(o)) for o in speaking] or [np.ones(len(examined))])
    solved = solved_by_any(speaking, examined)
    records = [error_record(speaking, rates[:, i], examined, int(i), bool(solved[i])) for i in errors]
    frame = pl.DataFrame(
        {
            "index": ids[errors],
            "true": [classes[c] for c in examined.labels[errors]],
            "predicted": [classes[c] for c in examined.predicted[errors]],
            **{name: [record[name] for record in records] for name in RECORD},
        },
        schema=SCHEMA,
    )
    named = int((frame["causes"].list.len() > 0).sum())
    still = int(frame["resists"].sum())
    have, resist = "have" if named > 1 else "has", "resist" if still > 1 else "resists"
    return Table(
        frame,
        UNITS,
        len(errors),
        f"Local false discovery rate against what the same lever makes worse (target-decoy), at most {NAMED} "
        "for a cause to be named.",
        f"Of {len(errors):,} errors examined, {errors_in_words(named)} {have} a cause that an intervention "
        f"supports, and {errors_in_words(still)} {resist} every lever.",
    )


def errors_in_words(count: int) -> str:
    """A number of errors in a sentence."""
    return f"{count:,}" if count else "none"


def error_record(
    outcomes: Sequence[LeverOutcome], rates: Floats, examined: ExaminedImages, place: int, solved: bool
) -> dict[str, Any]:
    """The causes of one error, the surest first, with their evidence."""
    order = sorted(range(len(outcomes)), key=lambda i: rates[i])
    found = [i for i in order if rates[i] <= NAMED]
    causes: dict[str, int] = {}
    for i in found:
        causes.setdefault(GROUP_CAUSES[outcomes[i].group], i)
    row = int(examined.rows[place])
    said = [(outcomes[i].name, evidence_of(outcomes[i], row)) for i in order]
    return {
        "causes": list(causes),
        "fdr": [float(rates[i]) for i in causes.values()],
        "levers": [outcomes[i].name for i in causes.values()],
        "evidence": [f"{name}: {sentence}" for name, sentence in said if sentence],
        "resists": not solved,
    }


RECORD = ("causes", "fdr", "levers", "evidence", "resists")
SCHEMA: dict[str, Any] = {
    "index": pl.Int64,
    "true": pl.String,
    "predicted": pl.String,
    "causes": pl.List(pl.String),
    "fdr": pl.List(pl.Float64),
    "levers": pl.List(pl.String),
    "evidence": pl.List(pl.String),
    "resists": pl.Boolean,
}
UNITS = {
    "index": "row in the official order of test",
    "true": "class name",
    "predicted": "class name",
    "causes": f"causes with a local false discovery rate of at most {NAMED}, the surest first",
    "fdr": "local false discovery rate of each cause",
    "levers": "the lever that supports each cause",
    "evidence": "what each lever did for this image",
    "resists": "whether no lever fixes it",
}


def spread_to(outcome: LeverOutcome, examined: ExaminedImages, values: Floats) -> Floats:
    """Values of a lever's own images at the places of all examined ones, and 1 for the others."""
    spread = np.ones(len(examined))
    spread[np.searchsorted(examined.rows, outcome.examined.rows)] = values
    return spread


def solved_by_any(outcomes: Sequence[LeverOutcome], examined: ExaminedImages) -> Bools:
    """Which images some arm gets right in most of its tries, bool (m,)."""
    solved = np.zeros(len(examined), dtype=bool)
    for outcome in outcomes:
        place = np.searchsorted(examined.rows, outcome.examined.rows)
        solved[place] |= outcome.arm_right.mean(axis=0) > 0.5
    return solved


def evidence_of(outcome: LeverOutcome, row: int) -> str:
    """A lever's sentence about the test image at this position; empty where the lever was not tried on it."""
    place = int(np.searchsorted(outcome.examined.rows, row))
    if not outcome.evidence or place >= len(outcome.examined) or outcome.examined.rows[place] != row:
        return ""
    return outcome.evidence[place]


def resisting_errors(table: Table) -> float:
    """The share of the examined errors that resist every lever."""
    return float(table.frame["resists"].mean() or 0.0)  # type: ignore[arg-type]


def local_fdr(outcome: LeverOutcome) -> Floats:
    """The chance that each improved image improved by churn alone, (m,); 1 where an image did not improve.

    Retraining changes answers in both directions. The images that a lever makes worse at some strength
    estimate how many it improves at that strength by chance, as decoys do in a target-decoy search (Elias &
    Gygi 2007), with one decoy added (Barber & Candès 2015). The rate never rises with the strength.
    """
    strength = np.round(outcome.strengths, DIGITS)
    weights = outcome.examined.weights
    levels = np.unique(strength[strength > 0])
    rate = np.ones(len(strength))
    if not len(levels):
        return rate
    better = np.array([weights[strength == level].sum() for level in levels])
    worse = np.array([weights[nearest(-strength, levels) == place].sum() for place in range(len(levels))])
    worse[-1] += 1  # the strongest changes must outnumber at least one decoy
    ratio = np.minimum(worse / better, 1.0)
    smooth = isotonic_regression(ratio, sample_weight=better, increasing=False)
    place = np.searchsorted(levels, strength)
    up = strength > 0
    rate[up] = np.clip(smooth, 0, 1)[place[up]]
    return rate


def nearest(strength: Floats, levels: Floats) -> Floats:
    """The position of the level that is nearest to each strength; -1 where a strength is not above 0."""
    middle = (levels[1:] + levels[:-1]) / 2
    return np.asarray(np.where(strength > 0, np.searchsorted(middle, strength), -1), dtype=np.float64)
