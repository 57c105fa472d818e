"""Insertion and deletion: does the answer depend on the pixels that a map ranks highest?"""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.open_model import Predict
from deepsight.core.predictions import softmax

BASELINES = ("random order", "centre", "edges")
FEW_STEPS, MANY_STEPS = 8, 32
MANY_IMAGES = 500


def predictions_for(steps: int) -> int:
    """Predictions per image: two curves for the map and each baseline, and their starting points."""
    return 2 * (1 + (1 + len(BASELINES)) * (steps - 1))


def affordable_images(predictions: float) -> int:
    """The largest number of images for this many predictions, with the steps of `steps_for`."""
    fine = int(predictions / predictions_for(MANY_STEPS))
    return (
        fine if fine >= MANY_IMAGES else min(int(predictions / predictions_for(FEW_STEPS)), MANY_IMAGES - 1)
    )


def steps_for(images: int) -> int:
    """Few steps for few images: the interval is over images, which differ more than steps do."""
    return MANY_STEPS if images >= MANY_IMAGES else FEW_STEPS


def upsampled(maps: NDArray[np.floating], height: int, width: int) -> Floats:
    """Maps (n, h, w) enlarged bilinearly to the image, (n, height, width)."""
    return np.stack(
        [cv2.resize(np.asarray(m, np.float64), (width, height), interpolation=cv2.INTER_LINEAR) for m in maps]
    )


def baseline_importance(name: str, images: Pixels, *, cells: tuple[int, int], seed: int) -> Floats:
    """Maps independent of the model: random, nearness to the centre, or edges in the image.

    The random map has as many cells as the maps under test. A random order of single pixels would not be a
    fair baseline: it removes detail from the whole image at once, which hurts a network more than removing
    any one region.
    """
    n, height, width, _ = images.shape
    if name == "random order":
        return upsampled(np.random.default_rng(seed).random((n, *cells)), height, width)
    if name == "centre":
        y, x = np.mgrid[:height, :width]
        distance = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2
        return np.broadcast_to(-distance, (n, height, width))
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in images]
    edges = [np.hypot(cv2.Sobel(g, cv2.CV_64F, 1, 0), cv2.Sobel(g, cv2.CV_64F, 0, 1)) for g in grey]
    return np.stack([cv2.GaussianBlur(e, (0, 0), height / 16) for e in edges])


def blurred_images(images: Pixels) -> Pixels:
    """The images under a Gaussian blur whose standard deviation is an eighth of their height."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), image.shape[0] / 8) for image in images])


def curve_mean(
    start: Pixels, end: Pixels, order: Floats, classes: Ints, predict: Predict, *, steps: int
) -> Floats:
    """Mean probability of the class while pixels of `start` are replaced by those of `end`, (n,), 0 to 1.

    Args:
        start, end: uint8 (n, h, w, 3).
        order: (n, h, w); pixels with larger values are replaced first.
        classes: int64 (n,).
        predict: images -> logits (n, k).
        steps: equal parts of the pixels; both ends of the curve are left out, as no order changes them.
    """
    n = len(start)
    rank = np.argsort(np.argsort(-order.reshape(n, -1), axis=1, kind="stable"), axis=1)
    rank = rank.reshape(order.shape)
    total = np.zeros(n)
    for step in range(1, steps):
        replaced = rank < step * order[0].size / steps
        total += probability_of(predict(np.where(replaced[..., None], end, start)), classes)
    return total / (steps - 1)


def probability_of(logits: NDArray[np.floating], classes: Ints) -> Floats:
    """Softmax probability of each image's class, (n,)."""
    return np.asarray(softmax(logits)[np.arange(len(classes)), classes])
