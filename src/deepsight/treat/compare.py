"""Compares two sets of predictions for the same images: do they differ, and where?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Bools, Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.predictions import Predictions
from deepsight.core.statistics.intervals import confusion_counts
from deepsight.core.statistics.mcnemar import discordance_p, grouped_discordance_p, grouped_mcnemar, mcnemar
from deepsight.core.statistics.paired_f1 import paired_macro_f1
from deepsight.core.statistics.significance import benjamini_hochberg

Names = tuple[str, str]
GROUPED = "Images come in {} groups: differences summed by group, Student's t (Durkalski 2003)."


def comparison_tables(
    a: Predictions, b: Predictions, classes: Sequence[str], *,
    names: Names = ("A", "B"), groups: Ints | None = None, level: float = 0.95,
) -> dict[str, Table]:  # fmt: skip
    """The evidence tables `comparison`, `comparison_changed` and `comparison_confusion`.

    Args:
        a, b: predictions for the same images, in any order.
        classes: names of the k classes.
        names: of the two models.
        groups: int64 (n,), the group of each image, in the order of `a`; tests are then over groups.
        level: coverage of the intervals.

    Raises:
        DeepSightError: the images, their labels or the number of classes differ.
    """
    labels, first, second, ids = aligned_predictions(a, b, len(classes))
    ordered = None if groups is None else groups[np.argsort(a.ids)]
    return {
        "comparison": scores_table(labels, first, second, len(classes), names, ordered, level),
        "comparison_changed": changed_table(labels, first, second, ids, classes, names),
        "comparison_confusion": confusion_change_table(labels, first, second, classes, names, ordered),
    }


class AlignedPredictions(NamedTuple):
    """Two sets of predictions for the same images, in the order of their ids.

    Attributes:
        labels: int64 (n,), the given labels.
        first, second: int64 (n,), the predicted classes.
        ids: int64 (n,), ascending.
    """

    labels: Ints
    first: Ints
    second: Ints
    ids: NDArray[np.int64]


def aligned_predictions(a: Predictions, b: Predictions, k: int) -> AlignedPredictions:
    """Both predictions, sorted by id.

    Raises:
        DeepSightError: the images, their labels or the number of classes differ.
    """
    order_a, order_b = np.argsort(a.ids), np.argsort(b.ids)
    if len(a) != len(b) or not np.array_equal(a.ids[order_a], b.ids[order_b]):
        shared = len(np.intersect1d(a.ids, b.ids))
        raise DeepSightError(
            f"Expected predictions on the same images, received {len(a)} and {len(b)}, {shared} shared. "
            "Compare two runs on the same test set."
        )
    if (a.k, b.k) != (k, k):
        raise DeepSightError(f"Expected {k} classes in both, received {a.k} and {b.k}.")
    labels = a.labels[order_a]
    different = int((labels != b.labels[order_b]).sum())
    if different:
        raise DeepSightError(f"Expected the same labels in both, received {different} that differ.")
    return AlignedPredictions(labels, a.predicted[order_a], b.predicted[order_b], a.ids[order_a])


def scores_table(
    labels: Ints, first: Ints, second: Ints, k: int, names: Names, groups: Ints | None, level: float
) -> Table:
    """The difference in macro-F1 and in accuracy, each with a test."""
    f1 = paired_macro_f1(labels, first, second, k, groups=groups, level=level)
    if groups is None:
        exact = mcnemar(labels, first, second, level=level)
    else:
        exact = grouped_mcnemar(labels, first, second, groups, level=level)
    n = max(len(labels), 1)
    rows = [
        ("macro-F1", f1.value, f1.low, f1.high, f1.p_value, f1.minimum_detectable, "paired delta method"),
        (
            "accuracy",
            exact.difference,
            exact.low,
            exact.high,
            exact.p_value,
            exact.minimum_detectable,
            "McNemar",
        ),
    ]
    columns = ["score", "difference", "ci_low", "ci_high", "p_value", "minimum_detectable", "test"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        verdict=pl.when(pl.col("p_value") > 1 - level)
        .then(pl.lit("no difference shown"))
        .when(pl.col("difference") > 0)
        .then(pl.lit(f"{names[1]} is better"))
        .otherwise(pl.lit(f"{names[0]} is better"))
    )
    return Table(
        frame=frame,
        units={
            "score": "name",
            "difference": f"{names[1]} minus {names[0]}",
            "ci_low": f"difference, low end at {level:.0%}",
            "ci_high": f"difference, high end at {level:.0%}",
            "p_value": "two-sided",
            "minimum_detectable": "true difference that the test would detect with a power of 0.8",
            "test": "name of the test",
            "verdict": "in words",
        },
        n=len(labels),
        method="Delta method on paired images within classes; McNemar's test (1947), exact below 25 "
        "discordant images, with the interval of Agresti & Min (2005)."
        + ("" if groups is None else f" {GROUPED.format(len(np.unique(groups)))}"),
        caption=f"Of {n} images, only {names[0]} gets {exact.only_first} right and only {names[1]} gets "
        f"{exact.only_second} right.",
    )


def changed_table(
    labels: Ints,
    first: Ints,
    second: Ints,
    ids: NDArray[np.int64],
    classes: Sequence[str],
    names: Names,
) -> Table:
    """The images on which the two predictions differ: fixed, broken, or another error."""
    rows = np.flatnonzero(first != second)
    right_first, right_second = (x[rows] == labels[rows] for x in (first, second))
    change = np.where(right_second, "mended", np.where(right_first, "broken", "another error"))
    called = np.asarray(classes)
    frame = pl.DataFrame(
        {
            "index": ids[rows],
            "true": called[labels[rows]],
            "predicted_a": called[first[rows]],
            "predicted_b": called[second[rows]],
            "change": change,
        },
        schema_overrides=dict.fromkeys(("true", "predicted_a", "predicted_b", "change"), pl.String),
    )
    return Table(
        frame=frame,
        units={
            "index": "row in the official order of the split",
            "true": "class name",
            "predicted_a": f"class name, by {names[0]}",
            "predicted_b": f"class name, by {names[1]}",
            "change": f"from {names[0]} to {names[1]}: mended (fixed), broken, or another error",
        },
        n=len(labels),
        method="All images for which the two predictions differ.",
        caption=f"From {names[0]} to {names[1]}, {int(right_second.sum())} images become right and "
        f"{int(right_first.sum())} become wrong.",
    )


def confusion_change_table(
    labels: Ints, first: Ints, second: Ints, classes: Sequence[str], names: Names, groups: Ints | None
) -> Table:
    """The count of each confusion in both predictions, with a paired test of the difference."""
    k = len(classes)
    before, after = confusion_counts(labels, first, k), confusion_counts(labels, second, k)
    true, other = (axis.ravel() for axis in np.indices((k, k)))
    wrong = true != other
    true, other = true[wrong], other[wrong]
    p = [confusion_p(labels == i, first == j, second == j, groups) for i, j in zip(true, other, strict=True)]
    called = np.asarray(classes)
    frame = pl.DataFrame(
        {
            "true": called[true],
            "predicted": called[other],
            "count_a": before[true, other],
            "count_b": after[true, other],
            "difference": after[true, other] - before[true, other],
            "p_value": p,
            "q_value": benjamini_hochberg(p),
        }
    ).sort(pl.col("difference").abs(), descending=True, maintain_order=True)
    return Table(
        frame=frame,
        units={
            "true": "class name",
            "predicted": "class name",
            "count_a": f"images, by {names[0]}",
            "count_b": f"images, by {names[1]}",
            "difference": f"images, {names[1]} minus {names[0]}",
            "p_value": "two-sided, McNemar's test of this confusion",
            "q_value": "false discovery rate over all pairs",
        },
        n=len(labels),
        method="Confusions counted in both; McNemar's test for each pair of classes; Benjamini & Hochberg.",
        caption=f"{int((frame['q_value'] <= 0.05).sum())} of {len(frame)} confusions changed beyond chance.",
    )


def confusion_p(own: Bools, before: Bools, after: Bools, groups: Ints | None) -> float:
    """Two-sided p-value of no change in how often images of one class are predicted as another.

    Args:
        own: bool (n,), the images of the class.
        before, after: bool (n,), whether each image is predicted as the other class.
        groups: int64 (n,), the group of each image; the test is then over groups.
    """
    if groups is not None:
        return grouped_discordance_p((after.astype(np.float64) - before)[own], groups[own])
    return discordance_p(int((own & before & ~after).sum()), int((own & ~before & after).sum()))
