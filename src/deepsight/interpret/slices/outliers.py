"""Test images that are unlike all training images, for a person to review."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.evidence import Table
from deepsight.core.statistics.robust import robust_score

FENCE = 3.5  # deviations from the median (Iglewicz and Hoaglin 1993)
UNITS = {
    "split": "split of the image",
    "index": "row in the official order of the split",
    "given": "class name",
    "predicted": "class name",
    "distance": "mean cosine distance to the ten nearest training images, 0 to 2",
    "score": "distance above the median of the test images, in robust standard deviations",
}


def outliers_table(
    distance: Floats,
    ids: NDArray[np.int64],
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    *,
    limit: int = 96,
) -> Table:
    """Evidence table `outliers`: the test images beyond the fence, the farthest first.

    The score is the modified z-score of Iglewicz and Hoaglin (1993). Only images far above the
    median are listed.

    Args:
        distance: (n,), of each test image to its nearest training images.
        ids: int64 (n,), rows in the official order.
        labels, predicted: int64 (n,).
        classes: names of the classes.
        limit: at most so many rows; the caption says how many there are.
    """
    score = robust_score(distance)
    beyond = np.flatnonzero(score > FENCE)
    rows = beyond[np.argsort(-score[beyond], kind="stable")][:limit]
    names = np.asarray(classes, dtype=object)
    frame = pl.DataFrame(
        {
            "split": ["test"] * len(rows), "index": ids[rows], "given": names[labels[rows]].tolist(),
            "predicted": names[predicted[rows]].tolist(), "distance": distance[rows], "score": score[rows],
        },
        schema_overrides={"split": pl.String, "given": pl.String, "predicted": pl.String},
    )  # fmt: skip
    wrong = float((labels[beyond] != predicted[beyond]).mean()) if len(beyond) else 0.0
    said = f"; the model is wrong on {wrong:.0%} of them" if len(beyond) else ""
    listed = f"; the {limit} farthest are listed" if len(beyond) > limit else ""
    return Table(
        frame=frame,
        units=UNITS,
        n=len(distance),
        method="Distance in the features from before fine-tuning; modified z-score of Iglewicz and Hoaglin "
        f"(1993) above {FENCE}.",
        caption=f"{len(beyond):,} of {len(distance):,} test images are unlike the training images"
        f"{said}{listed}.",
    )
