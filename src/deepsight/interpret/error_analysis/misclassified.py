"""Lists of images to review one by one: the misclassified ones and those with a suspected label."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.evidence import Table

UNITS = {
    "index": "row in the official order of test",
    "true": "class name",
    "predicted": "class name",
    "confidence": "probability of the predicted class",
}


def misclassified_table(
    ids: NDArray[np.int64],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
    *,
    limit: int = 4000,
) -> Table:
    """The misclassified test images, the most confident first: evidence table `errors`.

    Args:
        ids: (n,), rows in the official order of the test split.
        labels: (n,), the given labels.
        probabilities: (n, k), rows sum to 1.
        classes: the k names.
        limit: at most so many rows; the least confident are left out, and the caption says so.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = probabilities.max(axis=1)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    names = np.array(classes)
    frame = pl.DataFrame(
        {
            "index": ids[order],
            "true": names[labels[order]],
            "predicted": names[predicted[order]],
            "confidence": confidence[order],
        },
        schema_overrides={"true": pl.String, "predicted": pl.String},
    )
    part = "all" if len(order) == len(wrong) else f"the {len(order):,} most confident"
    return Table(
        frame,
        units=UNITS,
        n=len(labels),
        method="Test images whose most probable class is not the given one; "
        "confidence is the largest probability.",
        caption=f"{len(wrong):,} of {len(labels):,} test images are misclassified; {part} are listed.",
    )


def suspected_labels(label_errors: pl.DataFrame, *, limit: int = 240) -> pl.DataFrame:
    """The flagged rows of the frame of `label_errors`, the highest score first, at most `limit`."""
    flagged = label_errors.filter(pl.col("flagged"))
    return flagged.sort(["score", "split", "index"], descending=[True, False, False]).head(limit)
