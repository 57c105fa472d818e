"""The evidence table `leakage_effect`: how training on copies of test images changes accuracy on them."""

import numpy as np
import polars as pl

from deepsight.core.array_types import Bools
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import Effect
from deepsight.core.statistics.paired_f1 import DISCORDANT, two_way_effect

NEAR, OTHER = "test images with a near-duplicate in train", "as many other test images (control)"


def accuracy_effect(dropped: Bools, kept: Bools) -> Effect:
    """Accuracy with the copies minus without, over images and seeds; both bool (s, n)."""
    n = dropped.shape[1]
    share = (kept.astype(np.float64) - dropped) / n
    one_class = np.zeros(n, dtype=np.int64)
    return two_way_effect(share.sum(axis=1), share, one_class, DISCORDANT / n**2, 0.95)


def leakage_table(
    dropped: Bools, kept: Bools, near: Bools, *, copies: int, train: int, leaked: float
) -> Table:
    """Evidence table `leakage_effect`: both arms on the repeated test images and on as many others.

    Args:
        dropped, kept: bool (s, n), which test images each training classifies correctly.
        near: bool (n,), which of them have a copy; the others are the control, if there are any.
        copies: number of training images that repeat them.
        train: number of other training images.
        leaked: share of all test images that have a known copy; those here may be a part of them.
    """
    groups = [(name, at) for name, at in ((NEAR, near), (OTHER, ~near)) if at.any()]
    effects = [accuracy_effect(dropped[:, at], kept[:, at]) for _, at in groups]
    rows = [
        {
            "images": name, "n": int(at.sum()), "seeds": len(dropped),
            "accuracy_dropped": float(dropped[:, at].mean()), "accuracy_kept": float(kept[:, at].mean()),
            "difference": e.value, "ci_low": e.low, "ci_high": e.high, "p_value": e.p_value,
            "minimum_detectable": e.minimum_detectable,
        }
        for (name, at), e in zip(groups, effects, strict=True)
    ]  # fmt: skip
    return Table(
        pl.DataFrame(rows), UNITS, int(near.sum()),
        method=f"{copies:,} training images that repeat these test images kept against dropped; the same "
        f"seeds and steps, {train:,} other training images. Variance over images and seeds by two-way "
        "clustering (Cameron et al. 2011), Student's interval.",
        caption=leakage_caption(effects[0], effects[1] if len(effects) > 1 else None, leaked),
    )  # fmt: skip


def leakage_caption(near: Effect, other: Effect | None, share: float) -> str:
    """The effect of the copies on the images that they repeat and on the control, and what follows from it.

    Without a control, or without a shown gain, nothing follows.
    """
    shown = "" if near.p_value <= 0.05 else " (no effect shown)"
    control = (
        f"on as many other test images (control) by {points_of(other)}"
        if other is not None
        else "no test image is without a copy, so there is no control"
    )
    said = (
        f"Trained with the copies, accuracy on the test images that they repeat changes by {points_of(near)} "
        f"points{shown}; {control}."
    )
    if other is None or near.p_value > 0.05 or near.value <= 0:
        return said
    return (
        f"{said} With {share:.1%} of the test images repeated, that is {100 * share * near.value:.2f} "
        "points of the accuracy on all: the score of this run, trained without the copies, is conservative "
        "next to published scores of models that were trained on all images."
    )


def points_of(effect: Effect) -> str:
    """An effect in points with its interval."""
    return f"{100 * effect.value:+.1f} ({100 * effect.low:+.1f} to {100 * effect.high:+.1f})"


UNITS = {
    "images": "which test images",
    "n": "test images",
    "seeds": "trainings of each arm",
    "accuracy_dropped": "share classified correctly by models trained without the copies",
    "accuracy_kept": "share classified correctly by models trained with the copies",
    "difference": "kept minus dropped",
    "ci_low": "difference, low end at 95 %, over images and seeds",
    "ci_high": "difference, high end at 95 %, over images and seeds",
    "p_value": "two-sided, of no difference",
    "minimum_detectable": "true difference that would be detected with a power of 0.8",
}
