"""Drift of the model's features: whether a classifier can tell from them which set an image is from."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm, rankdata

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.statistics.clusters import effective_n
from deepsight.core.statistics.intervals import Interval
from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.explore.drift.by_class import WHOLE, comparable_rows

MOST = 2_000  # images compared per set; more take time and change little
LEVEL = 0.05  # false discovery rate
CLEAR = 0.6  # area from which on the difference is not negligible
# Given features (n, d), whether each row is new, and its group: the out-of-fold probability that it is new.
TellApart = Callable[[Reals, Ints, Ints | None], Floats]
GROUPED = " No group is on both sides of a fold; interval and p are those of the effective n (Kish 1965)."

UNITS = {
    "class": "class name, or all",
    "auc": "chance that a new image looks newer than an old one, 0.5 to 1",
    "ci_low": "95 % interval, low end",
    "ci_high": "95 % interval, high end",
    "p_value": "of an area of 0.5",
    "q_value": "false discovery rate over the classes",
    "drifted": "whether it is significant and not negligible",
    "n_before": "images of the run's test set",
    "n_now": "new images",
}


def feature_drift_table(
    before: Reals, now: Reals, classes_before: Ints, classes_now: Ints, classes: Sequence[str], *,
    tell_apart: TellApart, groups: Ints | None = None, seed: int,
) -> Table:  # fmt: skip
    """Evidence table `feature_drift`: a classifier two-sample test, for all images and class by class.

    A class of which either set has a single group is left out: what its images share cannot be told from
    drift.

    Args:
        before, now: (n, d) and (m, d), pooled features of one network.
        classes_before, classes_now: int64, the class of each image.
        classes: names of the classes.
        tell_apart: the classifier; no row, and no row of its group, may be seen by the fit that scores it.
        groups: int64 (n + m,), which images belong together, those of `before` first; None where unknown.
        seed: of the samples, if there are more images than needed.

    Raises:
        DeepSightError: either set is a single group.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for name, a, b in comparable_rows(classes_before, classes_now, classes):
        ours, theirs = (rng.permutation(part)[:MOST] for part in (a, b))
        is_new = np.repeat([0, 1], [len(ours), len(theirs)])
        own = None if groups is None else groups[np.concatenate([ours, len(before) + theirs])]
        if own is not None and 1 in (group_count(own[is_new == 0]), group_count(own[is_new == 1])):
            continue
        score = tell_apart(np.concatenate([before[ours], now[theirs]]), is_new, own)
        area, p = area_of_new(score, is_new == 1, own)
        rows.append({"class": name, **area_columns(area, p), "n_before": len(ours), "n_now": len(theirs)})
    if not rows or rows[0]["class"] != WHOLE:
        raise DeepSightError("All images of a set are in one group: what they share is no drift.")
    q = benjamini_hochberg([row["p_value"] for row in rows])
    frame = pl.DataFrame(rows).with_columns(pl.Series("q_value", q))
    frame = frame.with_columns(
        drifted=(pl.col("q_value") <= LEVEL) & (pl.col("auc") >= CLEAR) & (pl.col("ci_low") > 0.5)
    ).select(list(UNITS))
    return Table(
        frame, UNITS, len(now),
        "Classifier two-sample test (Lopez-Paz and Oquab 2017): out-of-fold ridge scores on the features; "
        "DeLong's interval (1988); p by the rank sum; Benjamini & Hochberg; drifted where q ≤ "
        f"{LEVEL:g} and the area at least {CLEAR:g}.{'' if groups is None else GROUPED}",
        feature_caption(frame),
    )  # fmt: skip


def area_columns(area: Interval, p: float) -> dict[str, float]:
    """The columns of one comparison."""
    return {"auc": area.value, "ci_low": area.low, "ci_high": area.high, "p_value": p}


def group_count(groups: Ints) -> int:
    """How many groups there are."""
    return len(np.unique(groups))


def area_of_new(
    score: Floats, positive: Bools, groups: Ints | None = None, level: float = 0.95
) -> tuple[Interval, float]:
    """Area under the ROC curve with DeLong's interval (1988), 0 to 1, and the p of an area above 0.5.

    The area is the mean of the placements of the positives. Where images come in groups, both sets count as
    many images as would give these means as precisely if they were independent.

    Args:
        score: (n,), higher for positives.
        positive: bool (n,).
        groups: int64 (n,), which images belong together; None where unknown.
        level: coverage of the interval.
    """
    sides = placements(score, positive)
    sizes = [float(len(side)) for side in sides]
    if groups is not None:
        sizes = [
            effective_n(side, groups[rows]) for side, rows in zip(sides, (positive, ~positive), strict=True)
        ]
    area = float(sides[0].mean())
    variance = sum(
        float(side.var(ddof=1)) / size if len(side) > 1 else 0.0
        for side, size in zip(sides, sizes, strict=True)
    )
    reach = float(norm.ppf(0.5 + level / 2) * np.sqrt(variance))
    return Interval(area, max(0.0, area - reach), min(1.0, area + reach)), auc_p(area, *sizes)


def placements(score: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """The share of negatives below each positive, and of positives above each negative; ties count half."""
    everything = rankdata(score)
    above = (everything[positive] - rankdata(score[positive])) / (~positive).sum()
    below = (everything[~positive] - rankdata(score[~positive])) / positive.sum()
    return above, 1 - below


def auc_p(area: float, n: float, m: float) -> float:
    """One-sided p of an area above 0.5 by the rank sum's normal approximation."""
    return float(norm.sf((area - 0.5) / np.sqrt((n + m + 1) / (12 * n * m))))


def feature_caption(frame: pl.DataFrame) -> str:
    """How well the sets can be told apart, and in which classes."""
    whole = frame.row(0, named=True)
    classes = frame[1:].filter("drifted").sort("auc", descending=True)["class"].to_list()
    said = f"The new images can be told from the run's test images with an AUROC of {whole['auc']:.2f}"
    some = f"; most in {', '.join(classes[:3])}" if classes else ""
    return f"{said} ({whole['ci_low']:.2f} to {whole['ci_high']:.2f}; 0.5 means not at all){some}."
