"""Insertion and deletion: does the answer follow the pixels that a map calls important?"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.predictions import softmax

Predict = Callable[[Pixels], NDArray[np.floating]]

BASELINES = ("random order", "centre", "edges")
FEW_STEPS, MANY_STEPS = 8, 32
MANY_IMAGES = 500


def predictions_for(steps: int) -> int:
    """Predictions an image: two curves in the map's order and in each baseline's, and where each starts."""
    return 2 * (1 + (1 + len(BASELINES)) * (steps - 1))


def affordable_images(predictions: float) -> int:
    """The images that so many predictions are enough for, in as many steps as `steps_for` gives them."""
    fine = int(predictions / predictions_for(MANY_STEPS))
    return (
        fine if fine >= MANY_IMAGES else min(int(predictions / predictions_for(FEW_STEPS)), MANY_IMAGES - 1)
    )


def steps_for(images: int) -> int:
    """Few steps where there are few images: the interval is over images, which differ more than steps do."""
    return MANY_STEPS if images >= MANY_IMAGES else FEW_STEPS


def importance(maps: NDArray[np.floating], height: int, width: int) -> Floats:
    """Maps (n, h, w) enlarged bilinearly to the image, (n, height, width)."""
    return np.stack(
        [cv2.resize(np.asarray(m, np.float64), (width, height), interpolation=cv2.INTER_LINEAR) for m in maps]
    )


def baseline_importance(name: str, images: Pixels, *, cells: tuple[int, int], seed: int) -> Floats:
    """What knows nothing of the model: a random map, nearness to the centre, or edges in the image.

    The random map has as many cells as the maps under test. A random order of single pixels would be no
    fair baseline: it takes the detail out of the whole image at once, which hurts a network more than
    taking any part of it.
    """
    n, height, width, _ = images.shape
    if name == "random order":
        return importance(np.random.default_rng(seed).random((n, *cells)), height, width)
    if name == "centre":
        y, x = np.mgrid[:height, :width]
        distance = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2
        return np.broadcast_to(-distance, (n, height, width))
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in images]
    edges = [np.hypot(cv2.Sobel(g, cv2.CV_64F, 1, 0), cv2.Sobel(g, cv2.CV_64F, 0, 1)) for g in grey]
    return np.stack([cv2.GaussianBlur(e, (0, 0), height / 16) for e in edges])


def blurred(images: Pixels) -> Pixels:
    """The images without detail: a Gaussian blur of an eighth of the side."""
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
        steps: equal parts of the pixels; start and end do not depend on the order and are left out.
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
