"""Corruption robustness: accuracy under six corruptions at five severities each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.dataset import Images
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.open_model import Predict
from deepsight.core.statistics.intervals import macro_f1, wilson
from deepsight.core.statistics.significance import mean_difference_p
from deepsight.images.augmentation import corruption_transform

Corrupt = Callable[[Pixels], Pixels]

ALL = "all"  # in the column `class`: images of every class together
UNCORRUPTED = "none"
BLOCK = 1000  # images corrupted and predicted at a time, so that memory does not grow with n

# Five severities each; all but pixelation as in CIFAR-10-C (Hendrycks & Dietterich 2019), for 32 px.
SEVERITIES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "noise": (0.04, 0.06, 0.08, 0.09, 0.10),  # standard deviation, share of the range
        "blur": (0.4, 0.6, 0.7, 0.8, 1.0),  # standard deviation, pixels at 32 px
        "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),  # factor about the mean
        "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),  # added, share of the range
        "jpeg": (80, 65, 58, 50, 40),  # quality
        # Share of the side that is kept. CIFAR-10-C starts at 0.95, where the coarse grid drops whole pixels:
        # 0.95 and 0.9 change an image more than 0.75 does. These five are in order.
        "pixelation": (0.85, 0.75, 0.65, 0.5, 0.35),
    }
)
PREDICTIONS = 1 + sum(map(len, SEVERITIES.values()))  # forward passes for each image: as it is, and corrupted


def corruption_robustness(
    images: Images,
    labels: Ints,
    classes: Sequence[str],
    predict: Predict,
    *,
    limit: int = 1000,
    level: float = 0.95,
    seed: int,
) -> Table:
    """Accuracy by corruption, severity and class: evidence table `degradation`.

    Every corruption is applied to the same images, so rows can be compared. Severity 0 is the original.

    Args:
        images: uint8 (n, h, w, 3).
        labels: int64 (n,), positions in `classes`.
        predict: uint8 images (m, h, w, 3) to logits (m, k); called with at most 1,000 images.
        limit: at most this many images are used, drawn in equal shares from the classes.
        level: coverage of the Wilson intervals.
        seed: random seed of the sample of images and of the noise.
    """
    rows = balanced_rows(labels, limit, np.random.default_rng(seed))
    found = {
        (corruption, severity): predicted_classes(images, rows, predict, corrupt)
        for corruption, severity, corrupt in corruptions_and_severities(min(images.shape[1:3]), seed)
    }
    frames = [
        accuracies(labels[rows], predicted, classes, level).select(
            pl.lit(corruption).alias("corruption"), pl.lit(severity).alias("severity"), pl.all()
        )
        for (corruption, severity), predicted in found.items()
    ]
    frame = pl.concat(frames)
    told_apart = costliest_p(labels[rows], found, frame) <= 1 - level
    return Table(frame, corruption_units(level), len(rows), METHOD, corruption_caption(frame, told_apart))


METHOD = (
    "Albumentations with the severities of CIFAR-10-C (Hendrycks & Dietterich 2019) but for pixelation; blur "
    "scales with the side of the image; Wilson intervals."
)


def corruption_units(level: float) -> dict[str, str]:
    """The unit of each column of the table."""
    return {
        "corruption": f"kind of corruption; '{UNCORRUPTED}' is the original image",
        "severity": "1 (weak) to 5 (strong), 0 for the original image",
        "class": f"class name; '{ALL}' is every class together",
        "n": "images",
        "accuracy": "share of images classified as labelled",
        "ci_low": f"low end at {level:.0%} (Wilson)",
        "ci_high": f"high end at {level:.0%} (Wilson)",
        "macro_f1": "mean F1 of the classes, on the rows of all classes only",
    }


def costliest_p(labels: Ints, found: Mapping[tuple[str, int], Ints], frame: pl.DataFrame) -> float:
    """Two-sided p that the costliest corruption costs as much as the next one, paired by image."""
    order = costs_of(frame)["corruption"].to_list()
    first, second = (
        np.mean([labels == predicted for (kind, _), predicted in found.items() if kind == name], axis=0)
        for name in order[:2]
    )
    return mean_difference_p(np.asarray(first - second, dtype=np.float64))


def corruption_caption(frame: pl.DataFrame, told_apart: bool) -> str:
    """The cost of the corruptions; the costliest is named only where it differs from the next."""
    mean = by_corruption(frame)
    clean = float(mean.filter(pl.col("corruption") == UNCORRUPTED)["accuracy"].item())
    (kind, left), (other, next_left) = costs_of(frame).select("corruption", "accuracy").rows()[:2]
    if left >= clean:
        return f"No corruption lowers the accuracy of {clean:.1%}, averaged over severities."
    if told_apart:
        return (
            f"{kind.capitalize()} costs most: accuracy falls from {clean:.1%} to {left:.1%}, averaged over "
            "its severities."
        )
    return (
        f"Accuracy falls from {clean:.1%} to {left:.1%} under {kind} and {next_left:.1%} under {other}, "
        "averaged over severities; which of them costs more is not shown."
    )


def corruption_summary(degradation: Table) -> Table:
    """Means over severities, the costliest first: evidence table `degradation_summary`.

    Args:
        degradation: the table of `corruption_robustness`.
    """
    frame = by_corruption(degradation.frame)
    as_is = (pl.col("corruption") == UNCORRUPTED).alias("as_is")
    accuracy = {bool(kind): part["accuracy"].to_numpy().mean() for (kind,), part in frame.group_by(as_is)}
    return Table(
        frame=frame,
        units={
            "corruption": f"kind of corruption; '{UNCORRUPTED}' is the original image",
            "accuracy": "share of images classified as labelled, mean over severities",
            "macro_f1": "mean F1 of the classes, mean over severities",
            "retained": "share of the accuracy on the original images",
        },
        n=degradation.n,
        method=degradation.method,
        caption=f"Accuracy is {accuracy[True]:.1%} on the original images and {accuracy[False]:.1%} over all "
        "corruptions.",
    )


def by_corruption(frame: pl.DataFrame) -> pl.DataFrame:
    """Accuracy and macro-F1 of all classes by corruption, mean over severities, ascending."""
    whole = frame.filter(pl.col("class") == ALL)
    clean = whole.filter(pl.col("severity") == 0)["accuracy"][0]
    mean = whole.group_by("corruption", maintain_order=True).agg(pl.col("accuracy", "macro_f1").mean())
    # Where the model is never right there is no accuracy to retain, so the share is null.
    return mean.with_columns(
        retained=pl.when(clean > 0).then(pl.col("accuracy") / clean).otherwise(None)
    ).sort("accuracy", maintain_order=True)


def costs_of(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of `by_corruption` without the original images, the costliest first."""
    return by_corruption(frame).filter(pl.col("corruption") != UNCORRUPTED)


def balanced_rows(labels: Ints, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `limit` positions, ascending, in equal shares from the classes as far as they last."""
    if limit < 1:
        raise DeepSightError(f"Expected a limit of at least one image, received {limit}.")
    order = rng.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[by_class], labels[by_class])
    turn = np.arange(len(labels)) - starts  # number of images of its class before it
    return np.sort(by_class[np.argsort(turn, kind="stable")[:limit]])


def predicted_classes(
    images: Images, rows: NDArray[np.int64], predict: Predict, corrupt: Corrupt
) -> NDArray[np.int64]:
    """The class predicted for each of these images after corruption, int64."""
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    logits = [np.asarray(predict(corrupt(np.asarray(images[block])))) for block in blocks]
    return np.asarray(np.concatenate(logits).argmax(axis=1), dtype=np.int64)


def accuracies(labels: Ints, predicted: Ints, classes: Sequence[str], level: float) -> pl.DataFrame:
    """Accuracy with its interval: one row for all images, then one row for each class."""
    k = len(classes)
    n = np.bincount(labels, minlength=k)
    hits = np.bincount(labels[predicted == labels], minlength=k)
    n, hits = np.append(n.sum(), n), np.append(hits.sum(), hits)
    low, high = wilson(hits, n, level)
    f1: list[float | None] = [macro_f1(labels, predicted, k)]
    return pl.DataFrame(
        {
            "class": [ALL, *classes],
            "n": n,
            "accuracy": hits / np.maximum(n, 1),
            "ci_low": low,
            "ci_high": high,
            "macro_f1": f1 + [None] * k,
        }
    )


def corruptions_and_severities(side: int, seed: int) -> Iterator[tuple[str, int, Corrupt]]:
    """Each corruption and severity with its function from images to images; the original comes first.

    Args:
        side: the shorter side of the images, in pixels.
        seed: random seed of the noise; every function starts from it again.
    """
    yield UNCORRUPTED, 0, lambda images: images
    for corruption, amounts in SEVERITIES.items():
        for severity, amount in enumerate(amounts, start=1):
            yield corruption, severity, corruption_transform(corruption, amount, side, seed=seed)
