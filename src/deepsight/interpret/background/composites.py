"""Objects on other backgrounds: what an intervention on the context shows to the model."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats32, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.grabcut import WORKING_SIDE, Masks

REMOVED_MARGIN = WORKING_SIDE // 8  # working pixels round a donor's object that leave with it


@dataclass(frozen=True)
class Parts:
    """Images taken apart.

    Attributes:
        images: uint8 (n, h, w, 3).
        cover: float32 (n, h, w), the share of each pixel that is the object.
        backgrounds: uint8 (n, h, w, 3), the images without their objects.
    """

    images: Pixels
    cover: Floats32
    backgrounds: Pixels

    def on(self, subjects: NDArray[np.int64], donors: NDArray[np.int64]) -> Pixels:
        """The objects of `subjects` on the backgrounds of `donors`, uint8 (m, h, w, 3)."""
        return paste(self.images[subjects], self.cover[subjects], self.backgrounds[donors])


def take_apart(images: Pixels, masks: Masks) -> Parts:
    """Each image's object and background.

    A donor's object leaves with a margin, since what stays of it would speak for the donor's class and look
    like reliance on the background.

    Args:
        images: uint8 (n, h, w, 3).
        masks: of these images.

    Raises:
        DeepSightError: not as many masks as images.
    """
    if len(images) != len(masks):
        raise DeepSightError(f"Expected a mask for each of {len(images)} images, received {len(masks)}.")
    size = images.shape[1:3]
    return Parts(images, masks.cover(*size), fill(images, masks.grown(REMOVED_MARGIN).cover(*size)))


def paste(images: Pixels, cover: Floats32, backgrounds: Pixels) -> Pixels:
    """cover · image + (1 − cover) · background, rounded, uint8 (n, h, w, 3)."""
    share = cover[..., None]
    return np.asarray(np.rint(share * images + (1 - share) * backgrounds), dtype=np.uint8)


def fill(images: Pixels, removed: Floats32) -> Pixels:
    """The images with the removed part filled smoothly from what is left round it.

    Pull and push over an image pyramid (Gortler et al. 1996): each hole takes the mean colour of the
    smallest neighbourhood that has one.

    Args:
        images: uint8 (n, h, w, 3).
        removed: float32 (n, h, w), 1 where a pixel must not be seen.
    """
    filled = np.empty_like(images)
    for i, image in enumerate(images):
        kept = (1 - removed[i])[..., None]
        filled[i] = np.rint(np.clip(pull_push(image.astype(np.float32), kept), 0, 255))
    return filled


def pull_push(colour: Floats32, kept: Floats32) -> Floats32:
    """Colours (h, w, 3) where `kept` (h, w, 1) is 1, and the coarser level's colours where it is 0."""
    height, width = colour.shape[:2]
    if min(height, width) == 1:
        total = float(kept.sum())
        mean = (colour * kept).sum(axis=(0, 1)) / total if total > 0 else np.full(3, 127.5)
        return np.asarray(kept * colour + (1 - kept) * mean, dtype=np.float32)
    half = (width // 2, height // 2)
    weight = cv2.resize(kept, half, interpolation=cv2.INTER_AREA)[..., None]
    mean = cv2.resize(colour * kept, half, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)
    coarse = pull_push(mean, np.minimum(weight * 4, 1))  # one kept pixel of four makes a colour
    return np.asarray(kept * colour + (1 - kept) * cv2.resize(coarse, (width, height)), dtype=np.float32)
