"""Composites: objects pasted on other backgrounds."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats32, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.grabcut import WORKING_SIDE, Masks

REMOVED_MARGIN = WORKING_SIDE // 8  # working pixels around a donor's object, removed with it


@dataclass(frozen=True)
class Cutouts:
    """Images, each cut into its object and its background.

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


def cut_out(images: Pixels, masks: Masks) -> Cutouts:
    """Cut each image into object and background.

    The object is removed from its background with a margin: what remained of it would be evidence for the
    donor's class and would look like reliance on the background.

    Args:
        images: uint8 (n, h, w, 3).
        masks: of these images.

    Raises:
        DeepSightError: not as many masks as images.
    """
    if len(images) != len(masks):
        raise DeepSightError(f"Expected a mask for each of {len(images)} images, received {len(masks)}.")
    size = images.shape[1:3]
    return Cutouts(images, masks.cover(*size), inpaint(images, masks.grown(REMOVED_MARGIN).cover(*size)))


def paste(images: Pixels, cover: Floats32, backgrounds: Pixels) -> Pixels:
    """cover · image + (1 − cover) · background, rounded, uint8 (n, h, w, 3)."""
    share = cover[..., None]
    return np.asarray(np.rint(share * images + (1 - share) * backgrounds), dtype=np.uint8)


def inpaint(images: Pixels, removed: Floats32) -> Pixels:
    """The images, with the removed part filled smoothly from its surroundings.

    Pull-push over an image pyramid (Gortler et al. 1996): each hole takes the mean colour of the smallest
    neighbourhood that has one.

    Args:
        images: uint8 (n, h, w, 3).
        removed: float32 (n, h, w), 1 where a pixel is removed.
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
    coarse = pull_push(mean, np.minimum(weight * 4, 1))  # one kept pixel in four is enough for a colour
    return np.asarray(kept * colour + (1 - kept) * cv2.resize(coarse, (width, height)), dtype=np.float32)
