"""How much each class would gain from more images, and which classes to label next."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints, Reals
from deepsight.core.evidence import Table
from deepsight.interpret.levers.more_data.data_amount import EXPONENT, more_images
from deepsight.interpret.levers.more_data.group_gains import gains_of_groups
from deepsight.interpret.levers.outcome import ExaminedImages

MOST_IMAGES = 1e7  # above it, the number of images for a point is not stated


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
            "recall_gain": f"expected gain in recall from {more_images(times)}",
            "points": "the same in accuracy over all test images",
            "images_for_a_point": "images of the class for one point of accuracy at that rate, or null",
        },
        examined.n,
        f"The model's recipe on {share:.0%} of the rows; learning curve with exponent {EXPONENT:g}; classes "
        "shrunk towards their mean.",
        next_to_label(frame),
    )


def next_to_label(frame: pl.DataFrame) -> str:
    """Which classes to label next, in a sentence."""
    first = frame.filter(pl.col("points") > 0).head(3)
    if first.is_empty():
        return "More images are not expected to help any class."
    names = ", ".join(
        f"{name} ({100 * gain:+.1f} points)" for name, gain in first.select("class", "points").rows()
    )
    return f"Label images of these classes next: {names}."
