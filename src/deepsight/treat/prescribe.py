"""From causes to treatments: a table of rules that anyone can read and dispute."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from deepsight.core.evidence import Evidence, Table


@dataclass(frozen=True)
class Rule:
    """A treatment for a cause.

    Attributes:
        cause: a cause in the ledger, or "weak class", which comes from the table `recall`.
        treatment: its name.
        because: why it should help against this cause.
    """

    cause: str
    treatment: str
    because: str


# In order of preference within a cause. If two treatments answer a cause, the trial decides.
RULES = (
    Rule("label error", "relabel", "the training data has wrong labels like these"),
    Rule("label error", "drop_mislabelled", "an image that is left out cannot mislead the model"),
    Rule(
        "conflicting labels of one picture",
        "deduplicate",
        "near-duplicates count twice, and conflicting labels teach both",
    ),
    Rule("ambiguous image", "mixup", "mixed labels teach the model to be unsure where people are"),
    Rule("degraded image", "higher_resolution", "finer input keeps what detail is left"),
    Rule("background reliance", "cutmix", "pasted rectangles separate objects from their backgrounds"),
    Rule("confusable pair", "hard_examples", "it trains more on the pair's images and less on easy ones"),
    Rule("weak class", "weighted_loss", "errors on the class cost more"),
    Rule("model error", "cutmix", "it gets more out of the images at hand"),
    Rule("model error", "higher_resolution", "finer detail may tell the classes apart"),
    Rule("model error", "deeper_backbone", "the backbone may lack capacity"),
)

RENAMED = {"leaked twin": "conflicting labels of one picture"}  # as runs of earlier versions have it

UNITS = {
    "cause": "cause in the ledger, or a weak class",
    "share": "share of the errors on validation",
    "treatment": "name of a treatment",
    "gain_at_most": "accuracy gained if every error with this cause were fixed and none were added",
    "because": "the reason",
}


def prescription_table(evidence: Evidence) -> Table:
    """Which treatment answers which cause, largest possible gain first: evidence table `prescription`.

    The gain is an upper bound: the share of the errors with that cause, times the error rate. Causes
    that no error has, or that were not checked, give no row.

    Args:
        evidence: of validation, so that test decides about nothing; reads `ledger_shares` (or `ledger`) and
            `recall`, and both may be missing.
    """
    if "levers" in evidence:
        return lever_prescription(evidence["levers"])
    shares = cause_shares(evidence)
    rate = error_rate(evidence)
    rows = [
        prescription_row(rule, shares[rule.cause], rate) for rule in RULES if shares.get(rule.cause, 0) > 0
    ]
    schema = {name: pl.Float64 if name in {"share", "gain_at_most"} else pl.String for name in UNITS}
    frame = pl.DataFrame(rows, schema=schema).sort("share", descending=True, maintain_order=True)
    first = frame.row(0, named=True) if len(frame) else None
    said = (
        f"{first['treatment']} for {first['cause']}, {first['share']:.0%} of the errors"
        if first
        else "none, since no cause is known"
    )
    return Table(
        frame=frame,
        units=UNITS,
        n=error_count(evidence),
        method="One rule for each cause in the ledger of validation errors and for weak classes. The gain is "
        "an upper bound, not a prediction.",
        caption=f"First by share: {said}. The order does not claim that one helps more than another.",
    )


def lever_prescription(levers: Table) -> Table:
    """The prescription of a run whose levers were tried: what was seen to help, and nothing else.

    The gain is the one that was measured, not a bound. Rules from causes to treatments are left out, since
    nothing was seen to speak for them.

    Args:
        levers: the evidence table `levers`.
    """
    helping = levers.frame.filter((pl.col("verdict") == "helps") & (pl.col("treatment") != ""))
    frame = helping.sort("net", descending=True, maintain_order=True).select(
        pl.col("name").alias("cause"),
        pl.col("net").alias("share"),
        "treatment",
        pl.col("points").alias("gain_at_most"),
        pl.format("the lever was tried: {} against {}", "arm", "control").alias("because"),
    )
    names = ", ".join(frame["treatment"].unique(maintain_order=True))
    said = (
        f"Shown to help when tried against a control: {names}. Their order is not tested."
        if names
        else "No lever with a treatment was shown to help against its control."
    )
    return Table(
        frame,
        UNITS | {
            "cause": "lever",
            "share": "net share of the test errors that the lever mends",
            "gain_at_most": "accuracy that the lever gained",
        },
        levers.n,
        "Levers that were shown to help, the largest net share first; a trial confirms them with more seeds.",
        said,
    )  # fmt: skip


def prescription_row(rule: Rule, share: float, rate: float) -> dict[str, Any]:
    """The row of a rule whose cause has this share of the errors."""
    return {
        "cause": rule.cause,
        "share": share,
        "treatment": rule.treatment,
        "gain_at_most": share * rate,
        "because": rule.because,
    }


def cause_shares(evidence: Evidence) -> Mapping[str, float]:
    """The share of errors with each cause; weak classes overlap with the causes of the ledger."""
    shares: dict[str, float] = {}
    if "ledger_shares" in evidence:
        shares.update(evidence["ledger_shares"].frame.select("cause", "share").iter_rows())
        shares = {RENAMED.get(cause, cause): share for cause, share in shares.items()}
    elif "ledger" in evidence and len(evidence["ledger"].frame):
        counted = evidence["ledger"].frame["cause"].value_counts(normalize=True, name="share")
        shares.update(counted.select("cause", "share").iter_rows())
    if "recall" in evidence:
        shares["weak class"] = weak_class_share(evidence["recall"].frame)
    return shares


def weak_class_share(recall: pl.DataFrame) -> float:
    """The excess errors of classes clearly below the mean recall, as a share of all errors."""
    missed = float((recall["n"] * (1 - recall["recall"])).sum())
    mean = float(recall["recall"].to_numpy().mean())
    weak = recall.filter(pl.col("ci_high") < mean)
    excess = float((weak["n"] * (mean - weak["recall"])).sum())
    return excess / missed if missed else 0.0


def error_count(evidence: Evidence) -> int:
    """The number of errors behind the prescription."""
    return evidence["ledger"].n if "ledger" in evidence else 0


def error_rate(evidence: Evidence) -> float:
    """The error rate on test; 1 if no table gives the number of images, so that the bound still holds."""
    if "recall" not in evidence:
        return 1.0
    recall = evidence["recall"].frame
    return float((recall["n"] * (1 - recall["recall"])).sum() / max(int(recall["n"].sum()), 1))
