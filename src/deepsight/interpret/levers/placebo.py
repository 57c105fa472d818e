"""Placebos: levers that do nothing. Their net shows what the method finds where there is nothing to find."""

import cv2
import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.core.open_model import Predict
from deepsight.interpret.levers.base import ExaminedImages, LeverOutcome, Retrain, Retraining


def resized_and_back(pixels: Pixels, *, times: int = 2) -> Pixels:
    """Every pixel repeated `times` along both sides, then averaged down again: the same image."""
    height, width = pixels.shape[1:3]
    large = [
        cv2.resize(image, (times * width, times * height), interpolation=cv2.INTER_NEAREST)
        for image in pixels
    ]
    return np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in large])


def try_resize_and_back(examined: ExaminedImages, pixels: Pixels, predict: Predict) -> LeverOutcome:
    """A resize and back before the model sees the image."""
    return LeverOutcome(
        name="placebo: resize and back",
        arm="every image enlarged twice and averaged down again",
        control="the image as it is",
        examined=examined,
        arm_right=examined.right(predict(resized_and_back(pixels)))[None],
        control_right=np.where(examined.wrong, 0.0, 1.0)[None],
        advice="Nothing: it does nothing.",
        group="placebo",
    )


def try_shuffled_file(
    examined: ExaminedImages, retrain: Retrain, rows: int, *, trainings: int, seed: int
) -> LeverOutcome:
    """Trainings after the rows of the label file were shuffled, against trainings in their own order.

    Args:
        examined: the images.
        retrain: makes the trainings; whatever order the rows come in, it must train on the same rows.
        rows: training rows.
        trainings: of either side, replicate r of both with the same seed.
        seed: of the shuffle and the trainings.
    """
    order = np.random.default_rng(seed).permutation(rows)
    plain = [examined.right(retrain(Retraining(np.arange(rows), seed + r))) for r in range(trainings)]
    mixed = [examined.right(retrain(Retraining(order, seed + r))) for r in range(trainings)]
    return LeverOutcome(
        name="placebo: label file shuffled",
        arm=f"{trainings} trainings after the lines of the label file were shuffled",
        control=f"{trainings} trainings with the same seeds",
        examined=examined,
        arm_right=np.stack(mixed),
        control_right=np.stack(plain),
        advice="Nothing: it does nothing.",
        group="placebo",
        paired=True,
    )
