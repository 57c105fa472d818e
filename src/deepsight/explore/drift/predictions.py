"""Drift of the predictions: shares of the predicted classes, confidence, unfamiliar images."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.stats import binomtest, chi2_contingency, norm

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import weighted_proportions, wilson
from deepsight.core.statistics.significance import benjamini_hochberg, p_phrase
from deepsight.explore.drift.by_class import WHOLE

LEVEL = 0.05  # false discovery rate
CLEAR = 0.02  # difference of shares from which on it is not negligible


def class_drift_table(before: Ints, now: Ints, classes: Sequence[str]) -> Table:
    """Evidence table `class_drift`: the share of each predicted class before and now.

    Args:
        before, now: int64, predicted classes of the run's test images and of the new ones.
        classes: names of the classes.
    """
    k = len(classes)
    counts = np.stack([np.bincount(before, minlength=k), np.bincount(now, minlength=k)])
    rows = [class_row(counts[:, c], counts.sum(axis=1)) for c in range(len(classes))]
    q = benjamini_hochberg([row["p_value"] for row in rows])
    frame = pl.DataFrame(rows).with_columns(
        pl.Series("class", list(classes), dtype=pl.String), pl.Series("q_value", q)
    )
    frame = frame.with_columns(
        drifted=(pl.col("q_value") <= LEVEL) & (pl.col("difference").abs() >= CLEAR)
    ).select(list(CLASS_UNITS))
    strength, p = association(counts)
    return Table(
        frame.sort(pl.col("difference").abs(), descending=True),
        CLASS_UNITS,
        len(now),
        "Shares by Newcombe's interval; score tests, Benjamini & Hochberg; over all classes chi-squared and "
        f"Cramér's V. Drifted where q ≤ {LEVEL:g} and the difference at least {100 * CLEAR:g} points.",
        class_caption(frame, strength, p),
    )


CLASS_UNITS = {
    "class": "class name",
    "before": "share of the run's test images that the model gives this class",
    "now": "the same of the new images",
    "difference": "now minus before",
    "ci_low": "95 % interval of the difference, low end",
    "ci_high": "95 % interval of the difference, high end",
    "p_value": "of equal shares",
    "q_value": "false discovery rate over the classes",
    "drifted": "whether it is significant and not negligible",
    "n_now": "new images of this class",
}


def class_row(hits: Ints, totals: Ints) -> dict[str, float]:
    """The share of one class in both sets."""
    share = weighted_proportions(hits[::-1], totals[::-1], [1, -1])
    rates, pooled = hits / np.maximum(totals, 1), hits.sum() / max(int(totals.sum()), 1)
    error = float(np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(totals, 1)).sum()))
    p = 2 * float(norm.sf(abs(share.value) / error)) if error > 0 else 1.0
    return {
        "before": float(rates[0]), "now": float(rates[1]), "difference": share.value, "ci_low": share.low,
        "ci_high": share.high, "p_value": min(1.0, p), "n_now": int(hits[1]),
    }  # fmt: skip


def association(counts: Ints) -> tuple[float, float]:
    """Cramér's V between set and class, and the p of chi-squared; 0 and 1 if there is only one class."""
    present = counts[:, counts.sum(axis=0) > 0]
    if present.shape[1] < 2 or (present.sum(axis=1) == 0).any():
        return 0.0, 1.0
    found = chi2_contingency(present, correction=False)
    return float(np.sqrt(found.statistic / present.sum())), float(found.pvalue)


def class_caption(frame: pl.DataFrame, strength: float, p: float) -> str:
    """Which classes have become more or less frequent."""
    found = frame.filter("drifted").sort(pl.col("difference").abs(), descending=True).head(3)
    said = ", ".join(f"{row['class']} {100 * row['difference']:+.1f} points" for row in found.to_dicts())
    size = f"Cramér's V {strength:.2f}, {p_phrase(p)}"
    if not said:
        return f"The model predicts the classes as often on the new images as on the run's test set ({size})."
    return f"The shares of the predicted classes have changed ({size}): {said}."


def familiarity_table(
    unfamiliar: Bools, confidence: Floats, predicted: Ints, confidence_before: Floats, predicted_before: Ints,
    classes: Sequence[str], *, expected: float,
) -> Table:  # fmt: skip
    """Evidence table `familiarity`: the share of unfamiliar images and the mean confidence, by class.

    Args:
        unfamiliar: bool (n,), whether each new image is unlike the training images.
        confidence: (n,), calibrated, of the predicted class.
        predicted: int64 (n,).
        confidence_before, predicted_before: of the run's test images.
        classes: names of the classes.
        expected: share of familiar images that are flagged as unfamiliar.
    """
    named = [(WHOLE, slice(None), slice(None))]
    named += [(name, predicted == c, predicted_before == c) for c, name in enumerate(classes)]
    rows = []
    for name, now, before in named:
        here, sure, was = unfamiliar[now], confidence[now], confidence_before[before]
        if not len(here):
            continue
        low, high = wilson(int(here.sum()), len(here))
        rows.append(
            {
                "class": name, "n": len(here), "share": float(here.mean()), "ci_low": float(low),
                "ci_high": float(high),
                "p_value": float(binomtest(int(here.sum()), len(here), expected, "greater").pvalue),
                "confidence": float(sure.mean()),
                "confidence_before": float(was.mean()) if len(was) else None,
            }
        )  # fmt: skip
    frame = pl.DataFrame(rows, schema_overrides={"confidence_before": pl.Float64})
    whole = rows[0]
    return Table(
        frame,
        {
            "class": "predicted class, or all",
            "n": "new images",
            "share": "of them that are unlike the training images",
            "ci_low": "95 % interval (Wilson), low end",
            "ci_high": "95 % interval, high end",
            "p_value": f"of no more than the {expected:.0%} expected of familiar images",
            "confidence": "mean calibrated confidence",
            "confidence_before": "the same on the run's test images",
        },
        len(unfamiliar),
        f"Unfamiliar: farther from the training images than {1 - expected:.0%} of the validation images.",
        f"{whole['share']:.1%} of the new images ({whole['ci_low']:.1%} to {whole['ci_high']:.1%}) are "
        f"unlike the training images, where {expected:.0%} is expected; the mean confidence is "
        f"{whole['confidence']:.1%}, on the run's test images it was {confidence_before.mean():.1%}.",
    )
