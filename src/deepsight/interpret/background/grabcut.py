"""Object masks without annotation: GrabCut from a border prior (Rother, Kolmogorov and Blake 2004).

Masks are never seeded from the model's own maps: every statement about the model would be circular.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError

WORKING_SIDE = 128
SMALLEST_AREA, LARGEST_AREA = 0.05, 0.85
# Further ones change a mask no more than another seed does: docs/decisions/0100-a-cheaper-examination.md.
ITERATIONS = 2


@dataclass(frozen=True)
class Masks:
    """Object masks of n images.

    Attributes:
        inside: bool (n, s, s), True on the object; s is the working side, not the image's.
        accepted: bool (n,), False where the area is implausible and the mask must not be used.
    """

    inside: NDArray[np.bool_]
    accepted: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.inside.ndim != 3 or self.accepted.shape != (len(self.inside),):
            raise DeepSightError(
                f"Expected masks (n, s, s) and n flags, received {self.inside.shape}, {self.accepted.shape}."
            )

    def __len__(self) -> int:
        return len(self.accepted)

    def select(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Masks":
        """The masks of these rows."""
        return Masks(self.inside[rows], self.accepted[rows])

    def padded(self, n: int) -> "Masks":
        """The masks of n images: these come first, the others are empty and rejected."""
        more = n - len(self)
        inside = np.concatenate([self.inside, np.zeros((more, *self.inside.shape[1:]), dtype=np.bool_)])
        return Masks(inside, np.concatenate([self.accepted, np.zeros(more, dtype=np.bool_)]))

    def cover(self, height: int, width: int) -> Floats32:
        """The share of each cell of a grid that the object covers, 0 to 1, float32 (n, height, width)."""
        return mask_cover(self.inside, height, width)

    def grown(self, pixels: int) -> "Masks":
        """The masks dilated by this many working pixels, or eroded where the number is negative."""
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(pixels) + 1,) * 2)
        change = cv2.dilate if pixels > 0 else cv2.erode
        inside = np.empty_like(self.inside)
        for i, mask in enumerate(self.inside):
            inside[i] = change(mask.astype(np.uint8), kernel)
        return Masks(inside, self.accepted)

    def area(self) -> NDArray[np.float64]:
        """The share of the image that the object covers, float64 (n,), 0 to 1."""
        return np.asarray(self.inside.mean(axis=(1, 2)), dtype=np.float64)


def segment_objects(images: Pixels, *, seed: int = 0, iterations: int = ITERATIONS) -> Masks:
    """Segment the object in each image.

    Each image is resized to 128 px. Its outer ring is background, its centre possibly the object; GrabCut
    then alternates between colour models and a minimal cut. The largest connected component is kept, and an
    area below 5 % or above 85 % of the image is rejected. Measured: 72 ms per image on one core of a 2-core
    AMD EPYC. OpenCV's threads share the images (`cv2.setNumThreads`); their number does not change a mask.

    Args:
        images: uint8 (n, h, w, 3).
        seed: random seed of the colour models' initial clusters.
        iterations: of GrabCut.
    """
    inside = np.zeros((len(images), WORKING_SIDE, WORKING_SIDE), dtype=np.bool_)

    def cut(i: int) -> None:
        inside[i] = largest_part(grabcut(images[i], seed=seed, iterations=iterations))

    with ThreadPoolExecutor(max(cv2.getNumThreads(), 1)) as pool:
        list(pool.map(cut, range(len(images))))  # list: an error in a thread is raised here
    area = inside.mean(axis=(1, 2))
    return Masks(inside, (area >= SMALLEST_AREA) & (area <= LARGEST_AREA))


class KnownMasks(NamedTuple):
    """Images whose masks exist already: their positions, int64 (m,), ascending, and the masks."""

    rows: Ints
    masks: Masks


def segment_missing(images: Pixels, rows: Ints, known: KnownMasks, *, seed: int) -> Masks:
    """Masks of these images; images with a known mask are not segmented again.

    Args:
        images: uint8 (n, h, w, 3).
        rows: int64 (n,), positions of these images.
        known: the masks of some of them, or of others.
        seed: as for `segment_objects`.
    """
    there = np.isin(rows, known.rows)
    fresh = segment_objects(images[~there], seed=seed)
    old = known.masks.select(np.searchsorted(known.rows, rows[there]))
    inside = np.empty((len(rows), *fresh.inside.shape[1:]), dtype=np.bool_)
    accepted = np.empty(len(rows), dtype=np.bool_)
    inside[there], inside[~there] = old.inside, fresh.inside
    accepted[there], accepted[~there] = old.accepted, fresh.accepted
    return Masks(inside, accepted)


def border_prior() -> NDArray[np.uint8]:
    """GrabCut's initial labels: the ring is background, the centre possibly object, the rest possibly not."""
    prior = np.full((WORKING_SIDE, WORKING_SIDE), cv2.GC_BGD, dtype=np.uint8)
    ring, centre = WORKING_SIDE // 16, WORKING_SIDE // 8
    prior[ring:-ring, ring:-ring] = cv2.GC_PR_BGD
    prior[centre:-centre, centre:-centre] = cv2.GC_PR_FGD
    return prior


def grabcut(image: NDArray[np.uint8], *, seed: int, iterations: int) -> NDArray[np.bool_]:
    """One image's object, bool (128, 128); all False where the colour models cannot be separated."""
    large = cv2.resize(image, (WORKING_SIDE, WORKING_SIDE), interpolation=cv2.INTER_CUBIC)
    labels, background, foreground = border_prior(), np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(seed)  # of this thread's generator
    try:
        cv2.grabCut(large, labels, None, background, foreground, iterations, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # a region without a single pixel, as in a picture of one colour
        return np.zeros(labels.shape, dtype=np.bool_)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def largest_part(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 8-connected component of a mask."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    if count < 2:
        return inside
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(parts == largest)


def mask_cover(inside: NDArray[np.bool_], height: int, width: int) -> Floats32:
    """Area averages of masks (n, s, s) on a height × width grid, float32 (n, h, w)."""
    cells = np.empty((len(inside), height, width), dtype=np.float32)
    for i, mask in enumerate(inside):
        cells[i] = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return cells
