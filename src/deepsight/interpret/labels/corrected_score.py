"""Macro-F1 under three readings of the test labels: as given, without flagged ones, with them corrected."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.macro_f1 import macro_f1_interval


def corrected_score_table(
    labels: Ints,
    predicted: Ints,
    flagged: NDArray[np.bool_],
    suggested: Ints,
    k: int,
    *,
    level: float = 0.95,
) -> Table:
    """Macro-F1 under three readings of the test labels: evidence table `corrected_score`.

    Only the first row is the score. The examined model is one of the sources that flag and suggest, so the
    other two are biased in its favour: they show how much the flags could matter, and are no better estimate.

    Args:
        labels, predicted: int64 (n,), given labels and the model's classes.
        flagged: bool (n,), labels that are probably wrong.
        suggested: int64 (n,), the suggested label of each flagged image.
    """
    corrected = np.where(flagged, suggested, labels)
    everyone = np.ones(len(labels), dtype=bool)
    readings = (
        ("as given", everyone, labels),
        ("without flagged", ~flagged, labels),
        ("flagged corrected", everyone, corrected),
    )
    rows = []
    for name, kept, read in readings:
        score = macro_f1_interval(read[kept], predicted[kept], k, level=level)
        rows.append(
            {"labels": name, "n": int(kept.sum()), "macro_f1": score.value}
            | {"ci_low": score.low, "ci_high": score.high}
        )
    frame = pl.DataFrame(rows)
    return Table(
        frame=frame,
        units={
            "labels": "as given; without the flagged images; or with the suggested label on them",
            "n": "images",
            "macro_f1": "mean F1 of the classes",
            "ci_low": f"low end at {level:.0%}, over images",
            "ci_high": f"high end at {level:.0%}, over images",
        },
        n=len(labels),
        method="Macro-F1 with its interval over images within classes; flags and suggestions are those of "
        "label_errors.",
        caption=corrected_caption(int(flagged.sum()), *frame["macro_f1"].to_list()),
    )


def corrected_caption(flagged: int, given: float, without: float, corrected: float) -> str:
    """What leaving out or correcting the flagged labels does to macro-F1."""
    if not flagged:
        return f"No label is flagged, so macro-F1 stays {given:.1%}."
    labels = f"{flagged:,} flagged labels move" if flagged > 1 else "One flagged label moves"
    them = "them" if flagged > 1 else "it"
    return (
        f"{labels} macro-F1 from {given:.1%} to {without:.1%} without {them} and {corrected:.1%} with {them} "
        "corrected."
    )
