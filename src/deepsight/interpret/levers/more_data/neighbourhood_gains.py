"""Where in the feature space more images would help: gains by neighbourhood, with examples of each."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.cluster.vq import kmeans2

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.evidence import Table
from deepsight.core.statistics.unit_rows import unit_rows
from deepsight.interpret.levers.more_data.data_amount import more_images
from deepsight.interpret.levers.more_data.group_gains import gains_of_groups
from deepsight.interpret.levers.outcome import ExaminedImages

IN_A_GROUP = 60  # images of a neighbourhood, approximately
MOST_GROUPS = 16
SHOWN = 5  # examples of a neighbourhood


def neighbourhood_gains_table(
    examined: ExaminedImages, parts: Sequence[Reals], features: Reals, ids: Ints, classes: Sequence[str], *,
    share: float, times: float = 2.0, whole: Reals | None = None, seed: int = 0,
) -> Table:  # fmt: skip
    """The gain from more images by neighbourhood of the feature space: table `lever_neighbourhoods`.

    Neighbourhoods are clusters of the examined images (k-means on features of unit length). Gains of small
    ones are shrunk towards the mean of all, as for classes.

    Args:
        examined: the images.
        parts: logits (m, k) of each training on a part of the rows.
        features: (m, d), the model's features of these images.
        ids: int64 (m,), rows in the official order of test.
        classes: k names.
        share: of the rows in each part.
        times: as many rows as are asked about.
        whole: logits (m, k) of the same training on all rows; None takes what the model itself says.
        seed: of the clusters.
    """
    group, centres = neighbourhoods(features, seed=seed)
    mean, gain, weight = gains_of_groups(
        examined, parts, group, len(centres), share=share, times=times, whole=whole
    )
    errors = np.bincount(group, weights=examined.weights * examined.wrong, minlength=len(centres))
    frame = pl.DataFrame(
        {
            "neighbourhood": np.arange(1, len(centres) + 1),
            "classes": [classes_within(examined, group == g, classes) for g in range(len(centres))],
            "n": np.round(weight).astype(np.int64),
            "error_rate": errors / np.maximum(weight, 1e-9),
            "drop": mean,
            "gain": gain,
            "points": gain * weight / max(weight.sum(), 1e-9),
            "examples": [
                ids[nearest_to_centre(features, group == g, centres[g])].tolist() for g in range(len(centres))
            ],
        },
        schema_overrides={"examples": pl.List(pl.Int64)},
    ).sort("gain", descending=True, maintain_order=True)
    best = frame.row(0, named=True)
    return Table(
        frame,
        {
            "neighbourhood": "number of the cluster",
            "classes": "its most frequent classes with their shares",
            "n": "test images",
            "error_rate": "share of them that the model gets wrong",
            "drop": f"accuracy with all rows minus accuracy with {share:.0%} of them",
            "gain": f"expected gain in accuracy there from {more_images(times)}",
            "points": "the same in accuracy over all test images",
            "examples": "rows in the official order of test of the images nearest to its centre",
        },
        examined.n,
        "k-means on the model's features of unit length; gains as in `lever_data`, by neighbourhood.",
        f"Label images like those of neighbourhood {best['neighbourhood']} next ({best['classes']}): "
        f"{100 * best['gain']:+.1f} points there from {more_images(times)}.",
    )


def neighbourhoods(features: Reals, *, seed: int) -> tuple[Ints, Floats]:
    """The cluster of each image (m,), and the centres (c, d) of the clusters, none of them empty."""
    unit = unit_rows(features)
    count = int(np.clip(len(unit) // IN_A_GROUP, 1, MOST_GROUPS))
    centres, group = kmeans2(unit, count, minit="++", seed=seed, missing="warn")
    held, group = np.unique(group, return_inverse=True)
    return group.astype(np.int64), centres[held]


def nearest_to_centre(features: Reals, inside: Bools, centre: Floats) -> Ints:
    """Positions of the images of a cluster nearest to its centre."""
    own = np.flatnonzero(inside)
    distance = np.linalg.norm(unit_rows(features[own]) - centre, axis=1)
    return own[np.argsort(distance)[:SHOWN]]


def classes_within(examined: ExaminedImages, inside: Bools, classes: Sequence[str]) -> str:
    """The two most frequent classes of some images, with their shares."""
    counts = np.bincount(examined.labels[inside], weights=examined.weights[inside], minlength=len(classes))
    first = np.argsort(-counts, kind="stable")[:2]
    return ", ".join(f"{classes[c]} {counts[c] / counts.sum():.0%}" for c in first if counts[c] > 0)
