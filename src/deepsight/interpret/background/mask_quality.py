"""The masks' error rates, measured on composites whose true mask is known: the table `masks`."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.core.statistics.intervals import wilson
from deepsight.core.statistics.significance import runner_up_p
from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.grabcut import Masks, segment_objects

GOOD_ENOUGH = 0.5
UNITS = {
    "class": "class name, or all classes",
    "n": "images segmented",
    "rejected": "share of the masks whose area is implausible",
    "ci_low": "rejected, low end of Wilson's 95 % interval",
    "ci_high": "rejected, high end of Wilson's 95 % interval",
    "area": "mean share of the image that accepted masks cover; null where there are none",
    "sensitivity": "share of a known object that is found, 0 to 1; of all classes together",
    "specificity": "share of a known background that is left out, 0 to 1; of all classes together",
}


class MaskQuality(NamedTuple):
    """Error rates of the masks, over pixels.

    Attributes:
        sensitivity: share of the true object that the mask finds, mean over accepted composites, 0 to 1.
        specificity: share of the true background that the mask leaves out, likewise.
        rejected: share of the composites whose mask was rejected.
        n: composites segmented.
    """

    sensitivity: float
    specificity: float
    rejected: float
    n: int

    @property
    def informedness(self) -> float:
        """Sensitivity + specificity − 1: 0 at chance, 1 for perfect masks (Youden 1950)."""
        return self.sensitivity + self.specificity - 1

    @property
    def good_enough(self) -> bool:
        """Whether a verdict of CLEAR may rest on these masks."""
        return self.informedness >= GOOD_ENOUGH


def measure_masks(images: Pixels, masks: Masks, *, n: int = 60, seed: int = 0) -> MaskQuality:
    """Segment n composites of a known silhouette and compare.

    The silhouette and its pixels come from one image, the background from another whose object was removed.
    The silhouette is GrabCut's own, so this error does not cover outlines that GrabCut can never draw.

    Args:
        images: uint8 (m, h, w, 3), with at least two accepted masks.
        masks: of these images.
        n: composites; each costs one mask.
        seed: random seed.

    Raises:
        DeepSightError: fewer than two accepted masks.
    """
    usable = np.flatnonzero(masks.accepted)
    if len(usable) < 2:
        raise DeepSightError(f"Expected at least two accepted masks to measure by, received {len(usable)}.")
    rng = np.random.default_rng(seed)
    subjects = rng.choice(usable, size=n, replace=n > len(usable))
    donors = rng.permutation(subjects)
    rows = np.unique(subjects)
    cutouts = cut_out(images[rows], masks.select(rows))
    found = segment_objects(
        cutouts.on(np.searchsorted(rows, subjects), np.searchsorted(rows, donors)), seed=seed
    )
    true, kept = masks.inside[subjects], found.accepted
    if not kept.any():
        return MaskQuality(0.0, 0.0, 1.0, n)
    hit = (found.inside & true).sum(axis=(1, 2)) / true.sum(axis=(1, 2))
    left = (~found.inside & ~true).sum(axis=(1, 2)) / (~true).sum(axis=(1, 2))
    return MaskQuality(float(hit[kept].mean()), float(left[kept].mean()), float((~kept).mean()), n)


def mask_table(
    masks: Masks, labels: NDArray[np.int64], classes: Sequence[str], quality: MaskQuality
) -> Table:
    """How many masks were rejected in each class, and how accurate the others are: the table `masks`.

    Args:
        masks: n.
        labels: int64 (n,).
        classes: k names.
        quality: the masks' measured errors.
    """
    everything = {"sensitivity": quality.sensitivity, "specificity": quality.specificity}
    rows = [rejection_row(masks, np.ones(len(masks), dtype=np.bool_), "all") | everything]
    rows += [rejection_row(masks, labels == c, name) for c, name in enumerate(classes) if (labels == c).any()]
    schema = {
        name: pl.String if name == "class" else pl.Int64 if name == "n" else pl.Float64 for name in UNITS
    }
    rejected = [
        [int(((labels == c) & ~masks.accepted).sum()), int((labels == c).sum())] for c in np.unique(labels)
    ]
    place, p = runner_up_p(*np.transpose(rejected))
    worst = rows[1 + place]
    most = "most often" if p <= 0.05 else "among others"
    return Table(
        frame=pl.DataFrame(rows, schema=schema),
        units=UNITS,
        n=len(masks),
        method=f"GrabCut from a border prior (Rother et al. 2004). Errors on {quality.n} composites of known "
        "masks; they do not cover outlines that GrabCut can never draw.",
        caption=f"{rows[0]['rejected']:.0%} of the masks were rejected, {most} those of {worst['class']} "
        f"({worst['rejected']:.0%}); findings hold for objects that can be cut out.",
    )


def rejection_row(masks: Masks, at: NDArray[np.bool_], name: str) -> dict[str, object]:
    """A row of the table `masks`, without the measured errors."""
    accepted = masks.accepted[at]
    count = int((~accepted).sum())
    low, high = (float(end) for end in wilson(count, len(accepted)))
    area = float(masks.area()[at][accepted].mean()) if accepted.any() else None
    return {
        "class": name, "n": len(accepted), "rejected": count / len(accepted), "ci_low": low,
        "ci_high": high, "area": area,
    }  # fmt: skip
