"""How much accuracy is left when the images get worse: six degradations at five severities."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.dataset import Images
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.statistics import macro_f1, wilson
from deepsight.images.augmentation import corruption_transform

Predict = Callable[[Pixels], NDArray[np.floating]]
Degrade = Callable[[Pixels], Pixels]

ALL = "all"  # stands in the column `class` for the images of every class together
UNDEGRADED = "none"
BLOCK = 1000  # images degraded and predicted at a time, so that memory does not grow with n

# Five severities each; all but pixelation as in CIFAR-10-C (Hendrycks & Dietterich 2019), for 32 px.
SEVERITIES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "noise": (0.04, 0.06, 0.08, 0.09, 0.10),  # standard deviation, share of the range
        "blur": (0.4, 0.6, 0.7, 0.8, 1.0),  # standard deviation, pixels at 32 px
        "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),  # factor about the mean
        "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),  # added, share of the range
        "jpeg": (80, 65, 58, 50, 40),  # quality
        # Side kept. Those of CIFAR-10-C start at 0.95, where whole pixels fall off the coarse grid: 0.95 and
        # 0.9 move an image further than 0.75 does. These five are in order.
        "pixelation": (0.85, 0.75, 0.65, 0.5, 0.35),
    }
)


def study(
    images: Images,
    labels: Ints,
    classes: Sequence[str],
    predict: Predict,
    *,
    limit: int = 1000,
    level: float = 0.95,
    seed: int,
) -> Table:
    """Accuracy by degradation, severity and class: evidence table `degradation`.

    The same images are degraded in every way, so that rows can be compared. Severity 0 is the image as is.

    Args:
        images: uint8 (n, h, w, 3).
        labels: int64 (n,), positions in `classes`.
        predict: uint8 images (m, h, w, 3) to logits (m, k); called with at most 1,000 images.
        limit: at most this many images are used, drawn in equal shares from the classes.
        level: coverage of the Wilson intervals.
        seed: of the draw of images and of the noise.
    """
    rows = balanced_rows(labels, limit, np.random.default_rng(seed))
    found = {
        (corruption, severity): predicted_classes(images, rows, predict, degrade)
        for corruption, severity, degrade in degradations(min(images.shape[1:3]), seed)
    }
    frames = [
        accuracies(labels[rows], predicted, classes, level).select(
            pl.lit(corruption).alias("corruption"), pl.lit(severity).alias("severity"), pl.all()
        )
        for (corruption, severity), predicted in found.items()
    ]
    frame = pl.concat(frames)
    return Table(frame, units(level), len(rows), METHOD, caption(frame))


METHOD = (
    "Albumentations with the severities of CIFAR-10-C (Hendrycks & Dietterich 2019) but for pixelation; blur "
    "scales with the side of the image; Wilson intervals."
)


def units(level: float) -> dict[str, str]:
    """The unit of each column of the table."""
    return {
        "corruption": f"kind of degradation; '{UNDEGRADED}' is the image as it is",
        "severity": "1 (weak) to 5 (strong), 0 without degradation",
        "class": f"class name; '{ALL}' is every class together",
        "n": "images",
        "accuracy": "share of images classified as labelled",
        "ci_low": f"low end at {level:.0%} (Wilson)",
        "ci_high": f"high end at {level:.0%} (Wilson)",
        "macro_f1": "mean F1 of the classes, on the rows of all classes only",
    }


def caption(frame: pl.DataFrame) -> str:
    """Which degradation costs most, in one sentence."""
    mean = by_corruption(frame)
    clean = float(mean.filter(pl.col("corruption") == UNDEGRADED)["accuracy"].item())
    kind, left = str(mean["corruption"][0]).capitalize(), float(mean["accuracy"][0])
    return f"{kind} costs most: accuracy is {clean:.1%} as is and {left:.1%} over its severities."


def summary(degradation: Table) -> Table:
    """Means over severities, the costliest first: evidence table `degradation_summary`.

    Args:
        degradation: what `study` returned.
    """
    frame = by_corruption(degradation.frame)
    as_is = (pl.col("corruption") == UNDEGRADED).alias("as_is")
    accuracy = {bool(kind): part["accuracy"].to_numpy().mean() for (kind,), part in frame.group_by(as_is)}
    return Table(
        frame=frame,
        units={
            "corruption": f"kind of degradation; '{UNDEGRADED}' is the image as it is",
            "accuracy": "share of images classified as labelled, mean over severities",
            "macro_f1": "mean F1 of the classes, mean over severities",
            "retained": "share of the accuracy without degradation",
        },
        n=degradation.n,
        method=degradation.method,
        caption=f"Accuracy is {accuracy[True]:.1%} as is and {accuracy[False]:.1%} over all degradations.",
    )


def by_corruption(frame: pl.DataFrame) -> pl.DataFrame:
    """Accuracy and macro-F1 of all classes by corruption, mean over severities, ascending."""
    whole = frame.filter(pl.col("class") == ALL)
    clean = whole.filter(pl.col("severity") == 0)["accuracy"][0]
    mean = whole.group_by("corruption", maintain_order=True).agg(pl.col("accuracy", "macro_f1").mean())
    # A model that is never right keeps all of nothing; null says so better than a division by zero.
    return mean.with_columns(
        retained=pl.when(clean > 0).then(pl.col("accuracy") / clean).otherwise(None)
    ).sort("accuracy", maintain_order=True)


def balanced_rows(labels: Ints, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `limit` row numbers, ascending, classes in equal shares while they last."""
    if limit < 1:
        raise DeepSightError(f"Expected a limit of at least one image, received {limit}.")
    order = rng.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[by_class], labels[by_class])
    turn = np.arange(len(labels)) - starts  # how many of its class come before the image
    return np.sort(by_class[np.argsort(turn, kind="stable")[:limit]])


def predicted_classes(
    images: Images, rows: NDArray[np.int64], predict: Predict, degrade: Degrade
) -> NDArray[np.int64]:
    """The class predicted for each of these rows after degradation, int64."""
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    logits = [np.asarray(predict(degrade(np.asarray(images[block])))) for block in blocks]
    return np.asarray(np.concatenate(logits).argmax(axis=1), dtype=np.int64)


def accuracies(labels: Ints, predicted: Ints, classes: Sequence[str], level: float) -> pl.DataFrame:
    """Accuracy with its interval: a row for all images, then a row for each class."""
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


def degradations(side: int, seed: int) -> Iterator[tuple[str, int, Degrade]]:
    """Each corruption, severity and function from images to degraded images, none first.

    Args:
        side: the shorter side of the images, in pixels.
        seed: of the noise; every function starts from it again.
    """
    yield UNDEGRADED, 0, lambda images: images
    for corruption, amounts in SEVERITIES.items():
        for severity, amount in enumerate(amounts, start=1):
            yield corruption, severity, corruption_transform(corruption, amount, side, seed=seed)
