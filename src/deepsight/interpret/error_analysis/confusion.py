"""Confusion between classes: the matrix, the pairs that stand out, and their direction."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binomtest

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.clusters import effective_n, worth_of_cells
from deepsight.core.statistics.intervals import confusion_counts, wilson
from deepsight.core.statistics.significance import benjamini_hochberg
from deepsight.interpret.error_analysis.quasi_independence import pair_tests

UNITS = {
    "true": "class name",
    "predicted": "class name",
    "count": "images",
    "rate": "share of the true class's images",
}


def confusion_table(labels: Ints, predicted: Ints, classes: Sequence[str]) -> Table:
    """The confusion matrix as k² rows: evidence table `confusion`.

    Args:
        labels, predicted: int64 (n,), positions in `classes`.
        classes: names of the k classes.
    """
    counts = confusion_counts(labels, predicted, len(classes))
    true, other = (axis.ravel() for axis in np.indices(counts.shape))
    frame = named_cells(counts, true, other, classes)
    return Table(
        frame=frame,
        units=UNITS,
        n=len(labels),
        method="Images counted by given label and predicted class.",
        caption=f"Of {len(labels):,} images, {int(np.trace(counts)):,} are classified as labelled.",
    )


def named_cells(counts: Ints, true: Ints, predicted: Ints, classes: Sequence[str]) -> pl.DataFrame:
    """The named cells of a confusion matrix with their counts and rates."""
    names = np.asarray(classes)
    sizes = counts.sum(axis=1)
    count = counts[true, predicted]
    return pl.DataFrame(
        {
            "true": names[true],
            "predicted": names[predicted],
            "count": count,
            "rate": count / np.maximum(sizes[true], 1),
        }
    )


def confusion_pairs_table(
    labels: Ints, predicted: Ints, classes: Sequence[str], *,
    image_groups: Ints | None = None, level: float = 0.95, fdr: float = 0.05,
) -> Table:  # fmt: skip
    """The k(k-1) ordered pairs against chance: evidence table `confusion_pairs`, most frequent first.

    A pair is flagged where its one-sided binomial p, under quasi-independence (`pair_tests`), has a q-value
    of at most `fdr`.

    Args:
        labels, predicted: int64 (n,), positions in `classes`.
        image_groups: int64 (n,), which images belong together; intervals and tests are then over such groups.
        level: coverage of the Wilson interval of each rate.
        fdr: bound on the expected share of false alarms among the flagged pairs.
    """
    counts = confusion_counts(labels, predicted, len(classes))
    true, other = np.nonzero(~np.eye(len(classes), dtype=bool))
    sizes, count = counts.sum(axis=1)[true], counts[true, other]
    worth = worth_of_cells(labels, predicted, len(classes), image_groups)
    low, high = wilson(count * worth[true, other], sizes * worth[true, other], level)
    null = pair_tests(counts, worth, fdr=fdr)
    p, q = null.p_values[true, other], null.q_values[true, other]
    frame = named_cells(counts, true, other, classes).with_columns(
        ci_low=low,
        ci_high=high,
        expected=null.expected[true, other] / np.maximum(sizes, 1),
        p_value=p,
        q_value=q,
        flagged=pl.Series(q <= fdr),
    )
    return Table(
        frame=frame.sort(["count", "true", "predicted"], descending=[True, False, False]),
        units={
            **UNITS,
            "ci_low": f"rate, low end at {level:.0%} (Wilson)",
            "ci_high": f"rate, high end at {level:.0%} (Wilson)",
            "expected": "rate expected if errors depended on each of the two classes, not on the pair",
            "p_value": "probability of at least this many, one-sided",
            "q_value": "false discovery rate",
            "flagged": f"whether q is at most {fdr:g}",
        },
        n=len(labels),
        method="Exact binomial test of each ordered pair against quasi-independence (Goodman 1968), fitted "
        "without the flagged pairs: how often the one class is misclassified and the other wrongly "
        f"predicted; Benjamini & Hochberg (1995) over all pairs.{over_groups(image_groups)}",
        caption=pairs_caption(int((q <= fdr).sum()), len(classes)),
    )


def over_groups(image_groups: Ints | None) -> str:
    """The sentence that a method adds where images come in groups."""
    return "" if image_groups is None else " Images come in groups: counts are scaled to the effective n."


def pairs_caption(flagged: int, k: int) -> str:
    """How many pairs stand out, and the limits of two and three classes."""
    if k == 2:
        return (
            "With two classes every error falls on the other class, so no pair can stand out and none is "
            "tested."
        )
    said = f"{flagged} of {k * (k - 1)} ordered pairs are confused more often than chance explains"
    limit = " (of three classes, only a cyclic confusion can stand out)" if k == 3 else ""
    return (
        f"{said}{limit}. Chance allows for how often each class is misclassified, and how often it is "
        "wrongly predicted."
    )


def confusion_direction_table(
    labels: Ints, predicted: Ints, classes: Sequence[str], *,
    image_groups: Ints | None = None, fdr: float = 0.05,
) -> Table:  # fmt: skip
    """The direction of each confusion: evidence table `confusion_direction`, one row per unordered pair.

    Under equal rates, of the errors between two classes the share that starts from the first is that class's
    share of their images. Pairs without an error in either direction are left out.
    """
    counts = confusion_counts(labels, predicted, len(classes))
    names, sizes = np.asarray(classes), counts.sum(axis=1)
    a, b = np.nonzero(np.triu(counts + counts.T, k=1))
    forth, back = counts[a, b], counts[b, a]
    worth = worth_of_directions(labels, predicted, a, b, image_groups)
    trials = np.maximum(np.rint((forth + back) * worth), 1)
    p = np.array(
        [
            binomtest(int(np.rint(n * x / (x + y))), int(n), sizes[i] / (sizes[i] + sizes[j])).pvalue
            for n, x, y, i, j in zip(trials, forth, back, a, b, strict=True)
        ]
    )
    q = benjamini_hochberg(p)
    first_runs = forth * np.maximum(sizes[b], 1) > back * np.maximum(sizes[a], 1)
    frame = pl.DataFrame(
        {
            "class_a": names[a],
            "class_b": names[b],
            "a_as_b": forth,
            "b_as_a": back,
            "p_value": p,
            "q_value": q,
            "dominant": np.where(q > fdr, "neither", np.where(first_runs, "a as b", "b as a")),
        },
        schema_overrides={"class_a": pl.String, "class_b": pl.String, "dominant": pl.String},
    )
    return Table(
        frame=frame.sort(pl.col("a_as_b") + pl.col("b_as_a"), descending=True, maintain_order=True),
        units={
            "class_a": "class name",
            "class_b": "class name",
            "a_as_b": "images of a predicted as b",
            "b_as_a": "images of b predicted as a",
            "p_value": "probability of a split at least this uneven, two-sided",
            "q_value": "false discovery rate",
            "dominant": f"the more frequent direction where q is at most {fdr:g}",
        },
        n=int(forth.sum() + back.sum()),
        method="Exact binomial test of the two directions against the sizes of the classes; "
        f"Benjamini & Hochberg (1995) over all pairs with an error.{over_groups(image_groups)}",
        caption=f"{int((q <= fdr).sum())} of {len(q)} confused pairs run mostly one way.",
    )


def worth_of_directions(
    labels: Ints, predicted: Ints, a: Ints, b: Ints, image_groups: Ints | None
) -> NDArray[np.float64]:
    """For each pair of classes, the share of independent images in those that are taken for one another."""
    if image_groups is None:
        return np.ones(len(a))
    found = []
    for one, other in zip(a, b, strict=True):
        forth = (labels == one) & (predicted == other)
        errors = forth | ((labels == other) & (predicted == one))
        found.append(effective_n(forth[errors], image_groups[errors]) / errors.sum())
    return np.array(found)
