"""How much of each class the model finds, and how much of what it calls by that name is right."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics import confusion_counts, wilson


def per_class_table(
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    groups: Mapping[str, str],
    *,
    level: float = 0.95,
) -> Table:
    """Recall of each class with its interval, precision and F1: evidence table `recall`, weakest first.

    Args:
        labels, predicted: int64 (n,), positions in `classes`.
        groups: the group of a class, such as "rigid"; a class without one gets an empty string.
        level: coverage of the Wilson interval of the recall.
    """
    counts = confusion_counts(labels, predicted, len(classes))
    hits, n, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    low, high = wilson(hits, n, level)
    frame = pl.DataFrame(
        {
            "class": list(classes),
            "group": [groups.get(name, "") for name in classes],
            "n": n,
            "recall": hits / np.maximum(n, 1),
            "ci_low": low,
            "ci_high": high,
            "precision": hits / np.maximum(called, 1),
            "f1": 2 * hits / np.maximum(n + called, 1),
        }
    ).sort("recall", maintain_order=True)
    weakest, strongest = frame["class"][0], frame["class"][-1]
    return Table(
        frame=frame,
        units={
            "class": "class name",
            "group": "group of classes in the hypotheses",
            "n": "images with this label",
            "recall": "share of the class's images that are predicted as it",
            "ci_low": f"recall, low end at {level:.0%} (Wilson)",
            "ci_high": f"recall, high end at {level:.0%} (Wilson)",
            "precision": "share of the images predicted as the class that have its label",
            "f1": "harmonic mean of precision and recall",
        },
        n=len(labels),
        method="Recall, precision and F1 by class; Wilson (1927) interval of the recall.",
        caption=f"{strongest} is found best and {weakest} worst.",
    )
