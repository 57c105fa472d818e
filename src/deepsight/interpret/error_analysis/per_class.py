"""How much of each class the model finds, and how much of what it calls by that name is right."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import confusion_counts, wilson
from deepsight.core.statistics.macro_f1 import few_images
from deepsight.core.statistics.significance import runner_up_p


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
        method="Recall, precision and F1 by class; Wilson (1927) interval of the recall. With 10 to 50 "
        "images it holds the truth in 90 to 98 % of samples, and always where the true recall is 0 or 1.",
        caption=" ".join(filter(None, (recall_caption(hits, n, classes, 1 - level), few_images(n, classes)))),
    )


def recall_caption(hits: Ints, n: Ints, classes: Sequence[str], alpha: float) -> str:
    """Which class is found best and which worst, each only if it differs from the next one."""
    said = []
    for word, lowest in (("best", False), ("worst", True)):
        first, p = runner_up_p(hits, n, lowest=lowest)
        if p <= alpha:
            said.append(f"{classes[first]} is found {word} (against the next class p = {p:.2g})")
    rates = hits[n > 0] / n[n > 0]
    spread = (
        f"Recall runs from {rates.min():.1%} to {rates.max():.1%}" if len(rates) else "No class has images"
    )
    if not said:
        return f"{spread}; no class is told apart from the next as the best or the worst."
    return f"{spread}; {' and '.join(said)}."
