"""Which images to label next: likely errors, in classes that gain from data, each unlike the others."""

import numpy as np

from deepsight.core.array_types import Floats, Ints, Reals

NEIGHBOURS = 10  # nearest validation images whose errors count for an image
LEAST_GAIN = 0.1  # of the mean gain, so that no class is left out altogether
REACH = 0.95  # quantile of validation's distances at which distances are capped, since junk lies beyond


def expected_error(probabilities: Floats, similarity: Reals, validation_wrong: Ints) -> Floats:
    """The chance that the model is wrong on each image, (n,): the mean of its doubt and its errors nearby.

    Args:
        probabilities: (n, k), calibrated.
        similarity: (n, v), cosine to each validation image.
        validation_wrong: int64 (v,), 1 where the model is wrong.
    """
    count = min(NEIGHBOURS, similarity.shape[1])
    near = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    nearby = (validation_wrong[near].sum(axis=1) + validation_wrong.mean()) / (count + 1)
    return np.asarray((1 - probabilities.max(axis=1) + nearby) / 2, dtype=np.float64)


def class_gain(probabilities: Floats, recall_gain: Floats | None) -> Floats:
    """The expected value of a label by the classes that an image may be of, (n,); 1 on average over classes.

    Args:
        probabilities: (n, k), calibrated.
        recall_gain: (k,), gain in recall from twice the images of all classes; None where not known.
    """
    if recall_gain is None or not (recall_gain > 0).any():
        return np.ones(len(probabilities))
    relative = np.maximum(recall_gain, 0) / np.maximum(recall_gain, 0).mean()
    return np.asarray(probabilities @ np.maximum(relative, LEAST_GAIN), dtype=np.float64)


def choose_diverse(value: Floats, features: Reals, distance: Floats, count: int, *, reach: float) -> Ints:
    """The rows of the images to label, the most useful first, int64 (count,).

    Greedy: the next image has the largest product of its value and its distance to the nearest labelled or
    chosen image, as in k-centre coresets (Sener and Savarese 2018) weighted by value.

    Args:
        value: (n,), expected gain of a label by itself, at least 0.
        features: (n, d), rows of length 1.
        distance: (n,), 1 minus the cosine to the nearest training image.
        count: images to choose; all where there are fewer.
        reach: at which distances are capped.
    """
    nearest = np.minimum(np.asarray(distance, dtype=np.float64), reach)
    free, chosen = np.ones(len(value), dtype=bool), []
    for _ in range(min(count, len(value))):
        best = int(np.argmax(np.where(free, value * nearest + 1e-12 * value, -1.0)))
        chosen.append(best)
        free[best] = False
        nearest = np.minimum(nearest, np.maximum(1 - features @ features[best], 0))
    return np.asarray(chosen, dtype=np.int64)
