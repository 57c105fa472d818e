"""How wrong the masks are, measured on composites whose true mask is known."""

from typing import NamedTuple

import numpy as np

from deepsight.core.errors import DeepSightError
from deepsight.interpret.composites import Images8, take_apart
from deepsight.interpret.masks import Masks, segment

GOOD_ENOUGH = 0.5


class MaskQuality(NamedTuple):
    """Errors of the masks over pixels.

    Attributes:
        sensitivity: share of the true object that the mask finds, mean over accepted composites, 0 to 1.
        specificity: share of the true background that the mask leaves out, likewise.
        rejected: share of the composites whose mask was rejected.
        n: composites tried.
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


def measure(images: Images8, masks: Masks, *, n: int = 60, seed: int = 0) -> MaskQuality:
    """Segment n composites of a known silhouette and compare.

    The silhouette and its pixels come from one image, the background from another, whose own object was
    taken out. The silhouette is GrabCut's own, so outlines that it can never draw are not in the measure.

    Args:
        images: uint8 (m, h, w, 3), with at least two accepted masks.
        masks: of these images.
        n: composites; each costs one mask.
        seed: of the choice.

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
    parts = take_apart(images[rows], masks.select(rows))
    found = segment(parts.on(np.searchsorted(rows, subjects), np.searchsorted(rows, donors)), seed=seed)
    true, kept = masks.inside[subjects], found.accepted
    if not kept.any():
        return MaskQuality(0.0, 0.0, 1.0, n)
    hit = (found.inside & true).sum(axis=(1, 2)) / true.sum(axis=(1, 2))
    left = (~found.inside & ~true).sum(axis=(1, 2)) / (~true).sum(axis=(1, 2))
    return MaskQuality(float(hit[kept].mean()), float(left[kept].mean()), float((~kept).mean()), n)
