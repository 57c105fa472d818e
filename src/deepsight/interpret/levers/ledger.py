"""The ledger after the levers: each error with all its supported causes, if any."""

from typing import Any

import polars as pl

from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import wilson
from deepsight.interpret.error_analysis.causes import CAUSES, PLAIN
from deepsight.interpret.levers.error_causes import GROUP_CAUSES, SYSTEMATIC, UNDECIDED

PAIR = CAUSES["pairs"]  # describes an error without saying what to do about it
UNTRIED = "no lever tried"
ADDED = ("causes", "fdr", "evidence", "resists")
DETECTED = "detected"  # column with the cause by the detectors alone, so that a merge can be repeated


def ledger_with_levers(ledger: Table, lever_errors: Table) -> Table:
    """The ledger with the levers' causes added: evidence table `ledger`, its other columns kept.

    Causes in the data (a conflicting near-duplicate, a wrong label) stay first. A confusable pair describes
    an error without explaining it, so it is no cause here.

    Args:
        ledger: from the detectors.
        lever_errors: from `lever_errors_table`, for the errors that the levers examined.
    """
    kept = [name for name in ledger.frame.columns if name not in ADDED]
    known = ledger.frame.select(kept)
    if DETECTED not in known.columns:
        known = known.with_columns(pl.col("cause").alias(DETECTED))
    joined = known.join(
        lever_errors.frame.select("index", *ADDED), on="index", how="left", maintain_order="left"
    )
    rows = [merged_row(row) for row in joined.iter_rows(named=True)]
    frame = pl.DataFrame(rows, schema={name: joined.schema[name] for name in joined.columns})
    return Table(
        frame,
        {
            **{name: ledger.units[name] for name in kept},
            DETECTED: "cause by the detectors alone",
            "cause": "the first of the causes, or what remains where there is none",
            "causes": "all supported causes: of the data first, then levers, the surest first",
            "fdr": "local false discovery rate of each lever's cause",
            "evidence": "what each lever did for this image",
            "resists": "whether no lever fixes it; null where none was tried",
        },
        ledger.n,
        f"{ledger.method} Levers: {lever_errors.method}",
        f"Each of {len(frame):,} errors with its supported causes.",
    )


def merged_row(row: dict[str, Any]) -> dict[str, Any]:
    """One error: its detected cause and those of the levers, the first of them as `cause`."""
    own = [] if row[DETECTED] in (PAIR, PLAIN) else [row[DETECTED]]
    found = [cause for cause in row["causes"] or [] if cause not in own]
    causes = own + found
    merged = {**row, "causes": causes, "evidence": row["evidence"] or []}
    if own:
        return merged
    if found:
        support = 1 - row["fdr"][0]
        return {**merged, "cause": found[0], "support": support, "because": (row["evidence"] or [""])[0]}
    if row["resists"] is None:
        return {**merged, "cause": UNTRIED, "because": "no lever was tried on this error"}
    left = SYSTEMATIC if row["resists"] else UNDECIDED
    why = "no lever gets it right" if row["resists"] else "levers fix it as often as they break others"
    return {**merged, "cause": left, "because": why}


def ledger_shares_with_levers(ledger: Table, *, level: float = 0.95) -> Table:
    """The shares of the causes, which sum to 1: evidence table `ledger_shares`.

    An error with several causes counts for each in equal parts: the share of errors that removing a cause
    removes, averaged over the orders of removal (Eide & Gefeller 1995).

    Args:
        ledger: from `ledger_with_levers`.
        level: coverage of the Wilson interval of each share, over errors.
    """
    total = len(ledger.frame)
    rests = [SYSTEMATIC, UNDECIDED, UNTRIED]
    names = list(dict.fromkeys([*CAUSES.values(), *GROUP_CAUSES.values()]))
    names = [name for name in names if name != PAIR] + rests
    parts: dict[str, float] = dict.fromkeys(names, 0.0)
    counts: dict[str, int] = dict.fromkeys(names, 0)
    for cause, causes in ledger.frame.select("cause", "causes").iter_rows():
        for name in causes or [cause]:
            parts[name] = parts.get(name, 0.0) + 1 / max(len(causes), 1)
            counts[name] = counts.get(name, 0) + 1
    rows = [share_row(name, parts[name], counts[name], total, level) for name in parts]
    frame = pl.DataFrame(rows).filter((pl.col("n") > 0) | pl.col("cause").is_in([SYSTEMATIC, UNDECIDED]))
    return Table(
        frame,
        {
            "cause": "cause of the ledger, or what remains",
            "n": "errors with this cause; an error may have several",
            "share": "share of the errors, each divided among its causes",
            "ci_low": f"share, low end at {level:.0%} (Wilson)",
            "ci_high": f"share, high end at {level:.0%} (Wilson)",
            "examined": "share of the errors in which the cause was looked for",
        },
        total,
        "An error with several causes is divided among them: averages over the orders of removal (Eide & "
        "Gefeller 1995). What single levers fix need not sum to 1 (Rockhill et al. 1998): see `levers`.",
        shares_sentence(frame, total),
    )


def share_row(name: str, part: float, count: int, total: int, level: float) -> dict[str, Any]:
    """One cause with its share and interval."""
    low, high = wilson(part, total, level)
    return {
        "cause": name,
        "n": count,
        "share": part / max(total, 1),
        "ci_low": float(low),
        "ci_high": float(high),
        "examined": 1.0,
    }


def shares_sentence(frame: pl.DataFrame, total: int) -> str:
    """The shares, the largest first."""
    ranked = frame.filter(pl.col("n") > 0).sort("share", descending=True, maintain_order=True)
    said = [f"{share:.0%} {cause}" for cause, share in ranked.select("cause", "share").rows()]
    return f"Of {total:,} errors: {', '.join(said) or 'none'}."
