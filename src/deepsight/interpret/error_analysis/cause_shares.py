"""Summary of the ledger: the share of the errors due to each cause, with its interval."""

from typing import NamedTuple

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import score_interval
from deepsight.interpret.error_analysis.causes import CAUSES, PLAIN

ADDED = 2  # errors that are added to the variance, each wholly due to a cause or not at all


class CauseShares(NamedTuple):
    """Shares (c,) of the causes in their order, with the ends of their intervals."""

    share: Floats
    low: Floats
    high: Floats


def ledger_shares_table(ledger: Table, *, level: float = 0.95) -> Table:
    """Errors by cause, in the order of precedence: evidence table `ledger_shares`. The shares sum to 1.

    Args:
        ledger: the evidence table `ledger`.
        level: coverage of the interval of each share, over errors.
    """
    total = len(ledger.frame)
    causes = [*CAUSES.values(), PLAIN]
    blind = ledger.frame["not_examined"].explode().drop_nulls()
    found = cause_shares(parts_of_errors(ledger.frame), level=level)
    frame = pl.DataFrame(
        {
            "cause": causes,
            "n": [int((ledger.frame["cause"] == cause).sum()) for cause in causes],
            "share": found.share,
            "ci_low": found.low,
            "ci_high": found.high,
            "examined": [1 - int((blind == cause).sum()) / max(total, 1) for cause in causes],
        }
    )
    return Table(
        frame=frame,
        units={
            "cause": "one of the causes of the ledger",
            "n": "errors for which the cause is named",
            "share": "share of errors: mean probability of the cause, named or not",
            "ci_low": f"share, low end at {level:.0%}, over errors",
            "ci_high": f"share, high end at {level:.0%}, over errors",
            "examined": "share of errors in which this cause was looked for",
        },
        n=total,
        method="Mean over errors of the probability of each cause. Where a cause was looked for in some "
        "errors, its share of what earlier causes leave is that of these errors (two-phase ratio estimate), "
        "and later causes share the rest. Jackknife over errors, two errors added to the variance; Wilson's "
        "interval with the effective number of errors. The detectors are held fixed.",
        caption=shares_caption(frame),
    )


def parts_of_errors(frame: pl.DataFrame) -> Floats:
    """The parts of all errors as an array (e, c), NaN where unknown."""
    c = len(CAUSES) + 1
    rows = [[np.nan if part is None else part for part in row] for row in frame["parts"].to_list()]
    return np.array(rows, dtype=np.float64).reshape(len(rows), c)


def cause_shares(parts: Floats, *, level: float = 0.95) -> CauseShares:
    """The share of each cause from the parts of each error, and intervals over errors.

    Args:
        parts: (e, c), probabilities of the causes in their order; NaN from the first cause on that could not
            be examined in this error. Which errors are examined must not depend on the cause.
        level: coverage of the intervals.
    """
    e, c = parts.shape
    if e == 0:
        return CauseShares(np.zeros(c), np.zeros(c), np.ones(c))
    taken, reached = taken_and_reached(parts)
    share = shares_from_sums(taken.sum(axis=0, keepdims=True), reached.sum(axis=0, keepdims=True))[0]
    left_out = shares_from_sums(taken.sum(axis=0) - taken, reached.sum(axis=0) - reached)  # jackknife
    variance = (e - 1) / e * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    seen = np.maximum((~np.isnan(parts)).sum(axis=0), 1).astype(np.float64)
    spread = share * (1 - share)
    variance = variance + ADDED * spread / seen**2  # few errors without a strong case show too little of it
    known = (variance > 0) & (spread > 1e-12)
    effective = np.divide(spread, variance, out=seen.copy(), where=known)
    low, high = score_interval(share, effective, level)
    return CauseShares(share, np.minimum(low, share), np.maximum(high, share))


def taken_and_reached(parts: Floats) -> tuple[Floats, Floats]:
    """Per error and cause (e, c): its part, and what earlier causes leave; both 0 where not examined."""
    known = ~np.isnan(parts)
    taken = np.where(known, parts, 0.0)
    before = np.cumsum(taken, axis=1) - taken
    return taken, np.where(known, 1 - before, 0.0)


def shares_from_sums(taken: Floats, reached: Floats) -> Floats:
    """Shares (b, c) from the sums of `taken_and_reached`: each cause takes their ratio of what is left."""
    ratio = np.divide(taken, reached, out=np.zeros_like(taken), where=reached > 1e-12)
    ratio[:, -1] = 1.0  # what no other cause takes is a plain model error
    left = np.cumprod(1 - ratio, axis=1)
    return np.asarray(ratio * np.concatenate([np.ones((len(ratio), 1)), left[:, :-1]], axis=1))


def shares_caption(shares: pl.DataFrame) -> str:
    """How the errors divide, the largest share first, and what was not examined."""
    if float(shares["share"].sum()) == 0:
        return "There is no error to explain."
    found = shares.filter(pl.col("share") >= 0.005).sort("share", descending=True, maintain_order=True)
    parts = [f"{share:.0%} {cause}" for cause, share in found.select("cause", "share").rows()]
    missing = shares.filter(pl.col("examined") == 0)["cause"].to_list()
    partly = shares.filter(pl.col("examined").is_between(0, 1, closed="none"))
    sampled = "".join(
        f" {cause.capitalize()} was looked for in {share:.0%} of the errors, which represent all."
        for cause, share in partly.select("cause", "examined").rows()
    )
    unlooked = f" Not examined: {', '.join(missing)}." if missing else ""
    return f"Of the errors: {', '.join(parts)}.{sampled}{unlooked}"
