"""Where more data would help: gains by class and by neighbourhood of the feature space."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.cluster.vq import kmeans2

from deepsight.core.array_types import Bools, Floats, Ints, Reals
from deepsight.core.evidence import Table
from deepsight.interpret.levers.data_amount import EXPONENT, growth_factor
from deepsight.interpret.levers.outcome import ExaminedImages

MOST_IMAGES = 1e7  # above it, the number of images for a point is not stated
IN_A_GROUP = 60  # images of a neighbourhood, approximately
MOST_GROUPS = 16
SHOWN = 5  # examples of a neighbourhood


def class_gains_table(
    examined: ExaminedImages, parts: Sequence[Reals], train_labels: Ints, classes: Sequence[str], *,
    share: float, times: float = 2.0, whole: Reals | None = None,
) -> Table:  # fmt: skip
    """The gain of each class from more images: evidence table `lever_data`, the largest gain first.

    Classes learn from each other's images, so a gain is for more images of all classes; the order says which
    to label next. Gains of small classes are shrunk towards the mean of all (empirical Bayes).

    Args:
        examined: the images.
        parts: logits (m, k) of each training on a part of the rows.
        train_labels: of the model's training rows.
        classes: k names.
        share: of the rows in each part.
        times: as many rows as are asked about.
        whole: logits (m, k) of the same training on all rows; None takes what the model itself says.
    """
    mean, gain, weight = gains_of_groups(
        examined, parts, examined.labels, len(classes), share=share, times=times, whole=whole
    )
    counts = np.bincount(train_labels, minlength=len(classes))
    points = gain * weight / max(weight.sum(), 1)
    with np.errstate(divide="ignore"):
        needed = np.where(points > 0, 0.01 * (times - 1) * counts / np.maximum(points, 1e-12), np.inf)
    frame = pl.DataFrame(
        {
            "class": list(classes),
            "n": np.round(weight).astype(np.int64),
            "train_rows": counts,
            "recall_drop": mean,
            "recall_gain": gain,
            "points": points,
            "images_for_a_point": [int(x) if x < MOST_IMAGES else None for x in needed],
        },
        schema_overrides={"images_for_a_point": pl.Int64},
    ).sort("points", descending=True, maintain_order=True)
    return Table(
        frame,
        {
            "class": "class name",
            "n": "test images",
            "train_rows": "training images of the class",
            "recall_drop": f"recall with all rows minus recall with {share:.0%} of them",
            "recall_gain": f"expected gain in recall from {times:g} times the images",
            "points": "the same in accuracy over all test images",
            "images_for_a_point": "images of the class for one point of accuracy at that rate, or null",
        },
        examined.n,
        f"The model's recipe on {share:.0%} of the rows; learning curve with exponent {EXPONENT:g}; classes "
        "shrunk towards their mean.",
        next_to_label(frame),
    )


def gains_of_groups(
    examined: ExaminedImages, parts: Sequence[Reals], group: Ints, count: int, *,
    share: float, times: float, whole: Reals | None,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """The loss with a part of the rows, the gain from more rows, and the weight of each group: (count,) each.

    Args:
        examined: the images.
        parts: logits (m, k) of each training on a part of the rows.
        group: int64 (m,), of each image.
        count: groups.
        share: of the rows in each part.
        times: as many rows as are asked about.
        whole: logits (m, k) of the same training on all rows; None takes what the model itself says.
    """
    kept = examined.own_right if whole is None else examined.right(whole)
    drop = kept - examined.right(np.stack(parts)).mean(axis=0)
    weight = np.bincount(group, weights=examined.weights, minlength=count).astype(np.float64)
    mean, error = group_means(drop, examined.weights, group, count)
    return mean, growth_factor(share, times) * shrunk(mean, error, weight), weight


def group_means(values: Floats, weights: Floats, group: Ints, count: int) -> tuple[Floats, Floats]:
    """Weighted mean of the values in each group and its standard error, both (count,)."""
    mean, error = np.zeros(count), np.full(count, np.inf)
    for g in range(count):
        own = group == g
        if own.any():
            weight = weights[own]
            mean[g] = weight @ values[own] / weight.sum()
            error[g] = np.sqrt(weight**2 @ (values[own] - mean[g]) ** 2) / weight.sum()
    return mean, error


def shrunk(mean: Floats, error: Floats, weight: Floats) -> Floats:
    """Means shrunk towards that of all, the more the larger their error (James & Stein 1961).

    Args:
        mean, error: (count,), the error infinite where a group has no image.
        weight: (count,), of each group.
    """
    known = np.isfinite(error)
    if known.sum() < 3:
        return mean
    whole = float(weight[known] @ mean[known] / weight[known].sum())
    between = max(0.0, float(mean[known].var(ddof=1) - (error[known] ** 2).mean()))
    trust = np.where(known, between / (between + np.where(known, error, 1.0) ** 2 + 1e-12), 0.0)
    return np.asarray(whole + trust * (mean - whole))


def next_to_label(frame: pl.DataFrame) -> str:
    """Which classes to label next, in a sentence."""
    first = frame.filter(pl.col("points") > 0).head(3)
    if first.is_empty():
        return "More images are not expected to help any class."
    names = ", ".join(
        f"{name} ({100 * gain:+.1f} points)" for name, gain in first.select("class", "points").rows()
    )
    return f"Label images of these classes next: {names}."


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
                ids[nearest_to(features, group == g, centres[g])].tolist() for g in range(len(centres))
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
            "gain": f"expected gain in accuracy there from {times:g} times the images",
            "points": "the same in accuracy over all test images",
            "examples": "rows in the official order of test of the images nearest to its centre",
        },
        examined.n,
        "k-means on the model's features of unit length; gains as in `lever_data`, by neighbourhood.",
        f"Label images like those of neighbourhood {best['neighbourhood']} next ({best['classes']}): "
        f"{100 * best['gain']:+.1f} points there from {times:g} times the images.",
    )


def neighbourhoods(features: Reals, *, seed: int) -> tuple[Ints, Floats]:
    """The cluster of each image (m,), and the centres (c, d) of the clusters, none of them empty."""
    unit = unit_length(features)
    count = int(np.clip(len(unit) // IN_A_GROUP, 1, MOST_GROUPS))
    centres, group = kmeans2(unit, count, minit="++", seed=seed, missing="warn")
    held, group = np.unique(group, return_inverse=True)
    return group.astype(np.int64), centres[held]


def unit_length(features: Reals) -> Floats:
    """Each row divided by its length."""
    x = np.asarray(features, dtype=np.float64)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def nearest_to(features: Reals, inside: Bools, centre: Floats) -> Ints:
    """Positions of the images of a cluster nearest to its centre."""
    own = np.flatnonzero(inside)
    distance = np.linalg.norm(unit_length(features[own]) - centre, axis=1)
    return own[np.argsort(distance)[:SHOWN]]


def classes_within(examined: ExaminedImages, inside: Bools, classes: Sequence[str]) -> str:
    """The two most frequent classes of some images, with their shares."""
    counts = np.bincount(examined.labels[inside], weights=examined.weights[inside], minlength=len(classes))
    first = np.argsort(-counts, kind="stable")[:2]
    return ", ".join(f"{classes[c]} {counts[c] / counts.sum():.0%}" for c in first if counts[c] > 0)
