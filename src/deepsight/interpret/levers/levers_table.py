"""All levers side by side: evidence table `levers` and its caption."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import wilson
from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.interpret.levers.net_effect import NetEffect, net_effect, replicates
from deepsight.interpret.levers.outcome import PLACEBO, ExaminedImages, LeverOutcome

HELPS, HARMS, NOTHING = "helps", "harms", "no difference shown"
METHOD = (
    "Net share = (errors fixed - correct images broken) / errors, arm minus control of the same recipe. "
    "Intervals over images and trainings together (two-way clustering), with two-phase weights where "
    "correct images are sampled; verdicts at a false discovery rate of 5 % (Benjamini & Hochberg 1995)."
)


def levers_table(
    outcomes: Sequence[LeverOutcome], examined: ExaminedImages, resisting: float | None, *,
    level: float = 0.95,
) -> Table:  # fmt: skip
    """Evidence table `levers`, the largest net share first, placebos last.

    Args:
        outcomes: one per lever.
        examined: all examined images.
        resisting: share of the errors that resist every lever, or None where it is not known.
        level: of the intervals.
    """
    effects = [net_effect(outcome, level=level) for outcome in outcomes]
    q_values = discovery_rates(effects)
    rows = [
        lever_row(outcome, effect, float(q), level)
        for outcome, effect, q in zip(outcomes, effects, q_values, strict=True)
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA).sort(
        pl.col("group") == PLACEBO, -pl.col("net"), maintain_order=True
    )
    return Table(frame, UNITS, len(examined), METHOD, levers_caption(frame, examined, resisting, level))


def discovery_rates(effects: Sequence[NetEffect]) -> Floats:
    """The q-value of each effect, float64 (l,), over the levers that changed an answer.

    A lever that changed none, such as a temperature, tests no hypothesis: it gets 1 and does not count among
    the tests.
    """
    rates = np.ones(len(effects))
    open_ones = np.array([effect.error > 0 for effect in effects], dtype=np.bool_)
    rates[open_ones] = benjamini_hochberg([e.p_value for e in effects if e.error > 0])
    return rates


def lever_row(outcome: LeverOutcome, effect: NetEffect, q: float, level: float) -> dict[str, Any]:
    """The row of one lever."""
    # The gain from more rows is extrapolated, so it is not known image by image.
    measured = outcome.group != "data" or bool(outcome.evidence)
    return {
        "name": outcome.name,
        "group": outcome.group,
        "arm": outcome.arm,
        "control": outcome.control,
        "errors": int(outcome.examined.wrong.sum()),
        "net": effect.net,
        "ci_low": effect.low,
        "ci_high": effect.high,
        "points": effect.points,
        "mended": effect.mended if measured else None,
        "broken": effect.broken if measured else None,
        "p_value": effect.p_value,
        "q_value": q,
        "verdict": lever_verdict(effect, q, level),
        "advice": outcome.advice,
        "treatment": outcome.treatment,
        "seconds": outcome.seconds,
        "images": outcome.images,
        "trainings": replicates(outcome),
    }


def lever_verdict(effect: NetEffect, q: float, level: float) -> str:
    """Whether the lever helps, harms, or shows no difference."""
    if q > 1 - level or effect.error == 0:
        return NOTHING
    return HELPS if effect.net > 0 else HARMS


UNITS = {
    "name": "lever",
    "group": "kind of lever",
    "arm": "what was done",
    "control": "what it is compared with",
    "errors": "errors examined",
    "net": "net share of the errors that the lever fixes",
    "ci_low": "net, low end",
    "ci_high": "net, high end",
    "points": "the same as a gain in accuracy",
    "mended": "share of the errors that the arm gets right, without the control",
    "broken": "correct images that the arm gets wrong, as a share of the errors, without the control",
    "p_value": "two-sided, of no net effect",
    "q_value": "false discovery rate over all levers",
    "verdict": "helps, harms, no difference shown",
    "advice": "what to do about it",
    "treatment": "treatment whose trial confirms it; empty where there is none",
    "seconds": "computing time of the trial",
    "images": "images to label or to review",
    "trainings": "trainings that the effect rests on; 1 where none differ",
}
WORDS = {"name", "group", "arm", "control", "verdict", "advice", "treatment"}
WHOLE = {"errors", "images", "trainings"}
SCHEMA: dict[str, Any] = {
    name: pl.String if name in WORDS else pl.Int64 if name in WHOLE else pl.Float64 for name in UNITS
}


def levers_caption(
    frame: pl.DataFrame, examined: ExaminedImages, resisting: float | None, level: float
) -> str:
    """What helps, in one sentence, and the share of the errors that resists every lever."""
    tried = frame.filter(pl.col("group") != PLACEBO)
    helping = tried.filter(verdict=HELPS).to_dicts()
    said = [f"{row['name']} would fix {share_with_reach(row)} of the errors" for row in helping[:1]]
    said += [f"{row['name']} {share_with_reach(row)}" for row in helping[1:4]]
    idle = tried.filter(pl.col("verdict") != HELPS)["name"].to_list()
    if not said:
        said = [f"none of {len(tried)} levers was shown to fix errors"]
    text = ", ".join(said)
    if helping and idle:
        others = f"{len(idle)} other levers" if len(idle) > 1 else idle[0]
        text += f"; {others} showed no gain"
    if resisting is not None:
        text += f"; {resisting_share(resisting, examined, level)} of the errors resist every lever"
    return text[0].upper() + text[1:] + "."


def share_with_reach(row: dict[str, Any]) -> str:
    """A net share with half the width of its interval."""
    return f"{100 * row['net']:.0f} ± {50 * (row['ci_high'] - row['ci_low']):.0f} %"


def resisting_share(share: float, examined: ExaminedImages, level: float) -> str:
    """The share of errors that resist, with half the width of Wilson's interval, or both ends near 0 or 1."""
    n = int(examined.wrong.sum())
    low, high = (float(np.asarray(end)) for end in wilson(round(share * n), n, level))
    half = (high - low) / 2
    if half <= share <= 1 - half:
        return f"{100 * share:.0f} ± {100 * half:.0f} %"
    return f"{100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
