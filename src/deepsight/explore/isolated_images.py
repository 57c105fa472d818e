"""Outlying images: far from their nearest neighbours in feature space."""

import numpy as np
import polars as pl

from deepsight.core.array_types import Reals
from deepsight.core.evidence import Table
from deepsight.core.statistics.robust import robust_score

FAR = 4.0  # robust standard deviations of the log distance
LISTED = 48  # the fewest images in the table, so that a reader sees where outliers end


def isolated_images_table(cosine: Reals, keys: pl.DataFrame) -> Table:
    """Evidence table `isolated_images`, the farthest first; flagged beyond four robust deviations.

    Args:
        cosine: (n, c), similarity of each image to its c nearest others, -1 to 1.
        keys: split and index of each image.
    """
    distance = 1 - np.asarray(cosine, dtype=np.float64).mean(axis=1)
    score = robust_score(np.log(np.maximum(distance, 1e-6)))
    frame = keys.select("split", "index").with_columns(
        pl.Series("distance", distance), pl.Series("score", score), pl.Series("flagged", score > FAR)
    )
    flagged = int(frame["flagged"].sum())
    ranked = frame.sort("score", descending=True, maintain_order=True).head(max(flagged, LISTED))
    return Table(
        ranked,
        {
            "split": "split",
            "index": "row in the official order of the split",
            "distance": f"mean cosine distance to the {cosine.shape[1]} nearest images, 0 to 2",
            "score": "robust deviations of its logarithm from the median",
            "flagged": f"score above {FAR:g}",
        },
        len(frame),
        "Distance to the nearest neighbours in the features of the backbone (Ramaswamy et al. 2000); median "
        "and median absolute deviation of the logarithm.",
        f"{flagged:,} of {len(frame):,} images are far from all others.",
    )
