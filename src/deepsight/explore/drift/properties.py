"""Drift of visible properties: brightness, contrast, sharpness and the like, class by class."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.stats import ks_2samp

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import Interval
from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.explore.drift.by_class import WHOLE, comparable_rows

SMALL = 0.2  # a standardised difference below this is small (Cohen 1988)
LEVEL = 0.05  # false discovery rate
Z95 = 1.959964

UNITS = {
    "class": "class name, or all",
    "property": "what is measured",
    "before": "mean over the images of the run's test set",
    "now": "mean over the new images",
    "effect": "difference in standard deviations (Hedges' g)",
    "ci_low": "95 % interval of the effect, low end",
    "ci_high": "95 % interval of the effect, high end",
    "ks": "largest distance of the two distributions, 0 to 1 (Kolmogorov and Smirnov)",
    "p_value": "of equal distributions",
    "q_value": "false discovery rate over properties and classes",
    "drifted": "whether it is significant and not small",
    "n_before": "images of the run's test set",
    "n_now": "new images",
}


def property_drift_table(
    before: pl.DataFrame, now: pl.DataFrame, classes_before: Ints, classes_now: Ints, classes: Sequence[str]
) -> Table:
    """Evidence table `property_drift`, the largest effects first.

    Args:
        before, now: measured properties, one row per image, the same columns.
        classes_before, classes_now: int64, the class of each image.
        classes: names of the classes.
    """
    rows = [
        {"class": name, "property": column} | property_row(before[column][a], now[column][b])
        for name, a, b in comparable_rows(classes_before, classes_now, classes)
        for column in before.columns
    ]
    frame = pl.DataFrame(rows).with_columns(
        pl.Series("q_value", benjamini_hochberg([row["p_value"] for row in rows]))
    )
    drifted = (pl.col("q_value") <= LEVEL) & (pl.max_horizontal(-pl.col("ci_high"), "ci_low") > 0)
    frame = frame.with_columns(drifted=drifted & (pl.col("effect").abs() >= SMALL)).select(list(UNITS))
    ranked = frame.sort(pl.col("drifted"), pl.col("effect").abs(), descending=True)
    return Table(
        ranked, UNITS, len(now),
        "Two-sample Kolmogorov-Smirnov tests, Benjamini & Hochberg; Hedges' g with a large-sample interval; "
        f"drifted where q ≤ {LEVEL:g}, the interval is clear of 0 and the effect at least {SMALL:g}.",
        property_caption(ranked),
    )  # fmt: skip


def property_row(before: pl.Series, now: pl.Series) -> dict[str, float]:
    """One property in both sets."""
    a, b = before.to_numpy().astype(np.float64), now.to_numpy().astype(np.float64)
    test, effect = ks_2samp(a, b, method="asymp"), standardised_difference(a, b)
    return {
        "before": float(a.mean()), "now": float(b.mean()), "effect": effect.value, "ci_low": effect.low,
        "ci_high": effect.high, "ks": float(test.statistic), "p_value": float(test.pvalue),
        "n_before": len(a), "n_now": len(b),
    }  # fmt: skip


def standardised_difference(before: Floats, now: Floats) -> Interval:
    """Hedges' g of the new values against the old, with its 95 % interval."""
    n, m = len(before), len(now)
    freedom = max(n + m - 2, 1)
    pooled = ((n - 1) * before.var(ddof=1) + (m - 1) * now.var(ddof=1)) / freedom if freedom > 1 else 0.0
    if not pooled > 0:
        return Interval(0.0, 0.0, 0.0)
    g = float((now.mean() - before.mean()) / np.sqrt(pooled)) * (1 - 3 / (4 * freedom - 1))
    error = float(np.sqrt((n + m) / (n * m) + g**2 / (2 * (n + m))))
    return Interval(g, g - Z95 * error, g + Z95 * error)


def property_caption(frame: pl.DataFrame) -> str:
    """A sentence on the drift over all images, and on the number of classes with drift."""
    whole = frame.filter(pl.col("drifted") & (pl.col("class") == WHOLE)).head(3)
    others = frame.filter(pl.col("drifted") & (pl.col("class") != WHOLE))["class"].n_unique()
    if whole.is_empty() and not others:
        return "No property of the images has drifted from those of the run's test set."
    said = ", ".join(
        f"{row['property'].replace('_', ' ')} ({row['effect']:+.2f} standard deviations)"
        for row in whole.iter_rows(named=True)
    )
    has = "class has" if others == 1 else "classes have"
    by_class = f"{others} {has}" if others else "no single class"
    return f"Drifted over all images: {said or 'nothing'}; {by_class} drifted in some property."
