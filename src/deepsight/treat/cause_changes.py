"""The ledger before and after a treatment, side by side."""

from collections.abc import Callable

import polars as pl

from deepsight.core.evidence import Table
from deepsight.core.predictions import Predictions
from deepsight.interpret.error_analysis.causes import ledger_shares_table

MakeLedger = Callable[[Predictions], Table]


def ledger_change(
    before: Predictions, after: Predictions, make_ledger: MakeLedger, *, level: float = 0.95
) -> Table:
    """Errors by cause of two models on the same test images: evidence table `ledger_change`.

    Args:
        before, after: of the control and of the winner.
        make_ledger: the evidence table `ledger` of some predictions; it is called once for each.
        level: coverage of the intervals of the shares.
    """
    first, second = (ledger_shares_table(make_ledger(each), level=level) for each in (before, after))
    kept = ["cause", "n", "share", "ci_low", "ci_high"]
    frame = (
        first.frame.select(kept)
        .join(second.frame.select(kept), on="cause", suffix="_after", maintain_order="left")
        .with_columns(difference=pl.col("n_after") - pl.col("n"))
    )
    return Table(
        frame=frame,
        units={
            "cause": "one of the causes of the ledger",
            **{name: f"{unit}, control" for name, unit in SIDE.items()},
            **{f"{name}_after": f"{unit}, winner" for name, unit in SIDE.items()},
            "difference": "errors, winner minus control",
        },
        n=len(before),
        method="The ledger of the control and of the winner on the same test images, by the same detectors.",
        caption=sentence(frame),
    )


SIDE = {
    "n": "errors",
    "share": "share of errors",
    "ci_low": "share, low end (Wilson)",
    "ci_high": "share, high end (Wilson, of the errors in which the cause was looked for)",
}


def sentence(frame: pl.DataFrame) -> str:
    """Where the errors went."""
    moved = frame.sort("difference").row(0, named=True)
    total, left = int(frame["n"].sum()), int(frame["n_after"].sum())
    if moved["difference"] >= 0:
        return f"{total:,} errors before and {left:,} after; no cause has fewer."
    return (
        f"{total:,} errors before and {left:,} after; the largest fall is in {moved['cause']}, "
        f"from {moved['n']} to {moved['n_after']}."
    )
