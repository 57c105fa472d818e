"""Distance of an image from its nearest training images."""

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Reals
from deepsight.core.statistics.principal_axes import principal_axes
from deepsight.interpret.labels.knn import largest_columns


def training_distance(
    features: Reals, training: Reals, *, count: int = 10, dimensions: int = 128, block: int = 1024
) -> Floats:
    """Mean cosine distance of each image to its `count` nearest training images, (n,), 0 to 2.

    A property for `slices_table`. Features are centred and projected on the principal axes of the training
    images, which makes the products cheap; memory grows with the block times the training images.

    Args:
        features: (n, d), pooled features of the images.
        training: (m, d), those of the training images, from the same model.
        count: neighbours, at most m.
        dimensions: principal axes kept, at most d.
        block: images compared at a time.
    """
    centre = np.asarray(np.mean(training, axis=0, dtype=np.float64), dtype=np.float32)
    axes = principal_axes(training, centre, min(dimensions, training.shape[1]))
    against = directions(training, centre, axes).T
    nearest = min(count, len(training))
    distance = np.empty(len(features))
    for start in range(0, len(features), block):
        similar = directions(features[start : start + block], centre, axes) @ against
        best = np.take_along_axis(similar, largest_columns(similar, nearest), axis=1)
        distance[start : start + block] = 1 - best.mean(axis=1)
    return distance


def directions(
    features: Reals, centre: NDArray[np.float32], axes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Centred features on the axes, rows of length 1, (n, dimensions)."""
    moved = (np.asarray(features, dtype=np.float32) - centre) @ axes
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)
