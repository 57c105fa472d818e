"""The causes of errors of the control and of the winning treatment."""

from collections.abc import Callable

import polars as pl

from deepsight.core.evidence import Table
from deepsight.core.predictions import Predictions
from deepsight.interpret.error_analysis.cause_shares import ledger_shares_table

MakeLedger = Callable[[Predictions], Table]


def ledger_change_table(
    before: Predictions, after: Predictions, make_ledger: MakeLedger, *, level: float = 0.95
) -> Table:
    """Errors by cause of two models on the same test images: evidence table `ledger_change`.

    Args:
        before, after: predictions of the control and of the winner.
        make_ledger: returns the evidence table `ledger` of predictions; called once per model.
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
            "cause": "cause in the ledger",
            **{name: f"{unit}, control" for name, unit in SIDE.items()},
            **{f"{name}_after": f"{unit}, winner" for name, unit in SIDE.items()},
            "difference": "errors, winner minus control",
        },
        n=len(before),
        method="The same detectors assign causes to the errors of the control and of the winner.",
        caption=ledger_change_caption(frame),
    )


SIDE = {
    "n": "errors for which the cause is named",
    "share": "share of errors, mean probability of the cause",
    "ci_low": "share, low end",
    "ci_high": "share, high end",
}


def ledger_change_caption(frame: pl.DataFrame) -> str:
    """The errors before and after, and the cause whose count fell most."""
    moved = frame.sort("difference").row(0, named=True)
    total, left = int(frame["n"].sum()), int(frame["n_after"].sum())
    if moved["difference"] >= 0:
        return f"{total:,} errors before and {left:,} after; no cause shrank."
    return (
        f"{total:,} errors before and {left:,} after; {moved['cause']} fell from {moved['n']} to "
        f"{moved['n_after']}."
    )
