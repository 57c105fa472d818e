"""The ledger in one table and in one sentence."""

import polars as pl

from deepsight.core.evidence import Table
from deepsight.core.statistics import wilson
from deepsight.interpret.error_analysis.causes import CAUSES, PLAIN


def table(ledger: Table, *, level: float = 0.95) -> Table:
    """Errors by cause, in the order of precedence: evidence table `ledger_shares`. The shares sum to 1.

    A share counts what was found. Where a cause was looked for in some errors only, the high end of its
    interval takes the others to be like those.

    Args:
        ledger: the evidence table `ledger`.
        level: coverage of the Wilson interval of each share, over errors.
    """
    total = len(ledger.frame)
    causes = [*CAUSES.values(), PLAIN]
    counts = [int((ledger.frame["cause"] == cause).sum()) for cause in causes]
    blind = ledger.frame["not_examined"].explode().drop_nulls()
    unseen = [int((blind == cause).sum()) for cause in causes]
    low, _ = wilson(counts, total, level)
    _, high = wilson(counts, [total - n for n in unseen], level)
    frame = pl.DataFrame(
        {
            "cause": causes,
            "n": counts,
            "share": [count / max(total, 1) for count in counts],
            "ci_low": low,
            "ci_high": high,
            "examined": [1 - n / max(total, 1) for n in unseen],
        }
    )
    return Table(
        frame=frame,
        units={
            "cause": "one of the causes of the ledger",
            "n": "errors",
            "share": "share of errors",
            "ci_low": f"share, low end at {level:.0%} (Wilson)",
            "ci_high": f"share, high end at {level:.0%} (Wilson, of the errors in which it was looked for)",
            "examined": "share of errors in which this cause was looked for",
        },
        n=total,
        method="Errors of the ledger counted by cause; Wilson (1927) intervals, each for its cause alone.",
        caption=sentence(frame),
    )


def sentence(shares: pl.DataFrame) -> str:
    """What the errors are due to, the largest share first, and what nobody looked for."""
    total = int(shares["n"].sum())
    if total == 0:
        return "There is no error to explain."
    found = shares.filter(pl.col("n") > 0).sort("n", descending=True, maintain_order=True)
    parts = [f"{share:.0%} {cause}" for cause, share in found.select("cause", "share").rows()]
    missing = shares.filter(pl.col("examined") == 0)["cause"].to_list()
    unlooked = f" Not examined: {', '.join(missing)}." if missing else ""
    return f"Of {total:,} errors: {', '.join(parts)}.{unlooked}"
