"""From causes to treatments: a table of rules that anybody can read and dispute."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from deepsight.core.evidence import Evidence, Table


@dataclass(frozen=True)
class Rule:
    """A treatment for a cause.

    Attributes:
        cause: as the ledger names it, or "weak class", which the table `recall` shows.
        treatment: the name of the treatment.
        because: why it should act on this cause.
    """

    cause: str
    treatment: str
    because: str


# In the order of preference for one cause. Where two treatments answer a cause, the trial decides.
RULES = (
    Rule("label error", "relabel", "labels like these are wrong in the training data too"),
    Rule("label error", "drop_mislabelled", "an image that is left out cannot mislead"),
    Rule("leaked twin", "deduplicate", "twins count twice, and those with two labels teach both"),
    Rule("ambiguous image", "mixup", "mixed labels ask the model to be unsure where people are"),
    Rule("degraded image", "higher_resolution", "finer input keeps what the damage has left"),
    Rule("background reliance", "cutmix", "a pasted rectangle separates the object from its background"),
    Rule("confusable pair", "hard_examples", "the pair's images are drawn more often, the easy ones less"),
    Rule("weak class", "weighted_loss", "errors of the class cost more"),
    Rule("model error", "cutmix", "it makes the most of the images that there are"),
    Rule("model error", "higher_resolution", "detail that it was not given may tell classes apart"),
    Rule("model error", "deeper_backbone", "more capacity, if this backbone has too little"),
)

UNITS = {
    "cause": "cause in the ledger, or a weak class",
    "share": "share of the test errors",
    "treatment": "name of a treatment",
    "gain_at_most": "accuracy, if every error of this cause were mended and no other made",
    "because": "reason in words",
}


def prescribe(evidence: Evidence) -> Table:
    """Which treatment answers which cause, the largest possible gain first: evidence table `prescription`.

    The gain is an upper bound: the share of the errors with that cause, times the error rate. Causes that no
    error has, or that nobody looked for, give no row.

    Args:
        evidence: reads `ledger_shares` (or `ledger`), `recall` and `confusion_pairs`; all may be absent.
    """
    shares = shares_of(evidence)
    rate = error_rate(evidence)
    rows = [row_of(rule, shares[rule.cause], rate) for rule in RULES if shares.get(rule.cause, 0) > 0]
    schema = {name: pl.Float64 if name in {"share", "gain_at_most"} else pl.String for name in UNITS}
    frame = pl.DataFrame(rows, schema=schema).sort("share", descending=True, maintain_order=True)
    first = frame.row(0, named=True) if len(frame) else None
    said = (
        f"{first['treatment']} answers the largest cause, {first['cause']}" if first else "no cause is known"
    )
    return Table(
        frame=frame,
        units=UNITS,
        n=errors_of(evidence),
        method="A rule for each cause of the ledger, and for weak classes; the gain is an upper bound, not a "
        "forecast.",
        caption=f"First choice: {said}.",
    )


def row_of(rule: Rule, share: float, rate: float) -> dict[str, Any]:
    """The row of a rule whose cause has this share of the errors."""
    return {
        "cause": rule.cause,
        "share": share,
        "treatment": rule.treatment,
        "gain_at_most": share * rate,
        "because": rule.because,
    }


def shares_of(evidence: Evidence) -> Mapping[str, float]:
    """The share of the errors with each cause; weak classes overlap with the causes of the ledger."""
    shares: dict[str, float] = {}
    if "ledger_shares" in evidence:
        shares.update(evidence["ledger_shares"].frame.select("cause", "share").iter_rows())
    elif "ledger" in evidence and len(evidence["ledger"].frame):
        counted = evidence["ledger"].frame["cause"].value_counts(normalize=True, name="share")
        shares.update(counted.select("cause", "share").iter_rows())
    if "recall" in evidence:
        shares["weak class"] = weak_share(evidence["recall"].frame)
    return shares


def weak_share(recall: pl.DataFrame) -> float:
    """The share of all errors by which classes surely below the mean recall exceed it."""
    missed = float((recall["n"] * (1 - recall["recall"])).sum())
    mean = float(recall["recall"].to_numpy().mean())
    weak = recall.filter(pl.col("ci_high") < mean)
    excess = float((weak["n"] * (mean - weak["recall"])).sum())
    return excess / missed if missed else 0.0


def errors_of(evidence: Evidence) -> int:
    """The number of errors that the prescription rests on."""
    return evidence["ledger"].n if "ledger" in evidence else 0


def error_rate(evidence: Evidence) -> float:
    """Errors over test images; 1 where no table says how many images there were, which keeps the bound."""
    if "recall" not in evidence:
        return 1.0
    recall = evidence["recall"].frame
    return float((recall["n"] * (1 - recall["recall"])).sum() / max(int(recall["n"].sum()), 1))
