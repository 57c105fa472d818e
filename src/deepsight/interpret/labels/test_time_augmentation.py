"""Test-time augmentation: a model's predictions for mirrored or slightly shifted copies of an image."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Pixels
from deepsight.core.dataset import Dataset

Logits = Callable[[Pixels], NDArray[np.float32]]

MOST_IMAGES = 300  # predicted again: those of lowest confidence


def augmented_logits(
    data: Dataset, probabilities: Floats, logits: Logits, *, most: int = MOST_IMAGES
) -> Floats:
    """Logits (2, n, k) of the images mirrored and shifted; NaN for images that are not predicted again.

    Only the images of lowest confidence are: where the model is certain, it stays certain when the image is
    mirrored.

    Args:
        data: the n images.
        probabilities: (n, k), of the unchanged images.
        logits: uint8 images (m, h, w, 3) to logits (m, k).
        most: images that are predicted again.
    """
    n, k = probabilities.shape
    rows = np.sort(np.argsort(probabilities.max(axis=1), kind="stable")[:most])
    seen = np.full((2, n, k), np.nan)
    if len(rows):
        pixels = data.pixels(rows)
        for place, view in enumerate((mirrored, moved)):
            seen[place, rows] = logits(view(pixels))
    return seen


def mirrored(pixels: Pixels) -> Pixels:
    """Flipped horizontally."""
    return np.ascontiguousarray(pixels[:, :, ::-1])


def moved(pixels: Pixels) -> Pixels:
    """Shifted right and down by a sixteenth of the side, with the border reflected into the gap."""
    height, width = pixels.shape[1:3]
    down, right = max(1, height // 16), max(1, width // 16)
    wider = np.pad(pixels, ((0, 0), (down, 0), (right, 0), (0, 0)), mode="reflect")
    return np.ascontiguousarray(wider[:, :height, :width])
