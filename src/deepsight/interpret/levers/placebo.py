"""Placebos: levers without an effect. Their net share shows what the method finds by chance."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from deepsight.core.array_types import Ints, Pixels, Reals
from deepsight.core.open_model import Predict
from deepsight.interpret.levers.outcome import PLACEBO, ExaminedImages, LeverOutcome
from deepsight.interpret.levers.tools import Retraining

Enlarge = Callable[[Pixels], Pixels]  # uint8 images (m, h, w, 3) to the input size of the network


def repeated_and_averaged(pixels: Pixels, *, times: int = 2) -> Pixels:
    """Every pixel repeated `times` along both sides, then averaged back to the original size."""
    height, width = pixels.shape[1:3]
    large = [
        cv2.resize(image, (times * width, times * height), interpolation=cv2.INTER_NEAREST)
        for image in pixels
    ]
    return np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in large])


def try_resize(
    examined: ExaminedImages, pixels: Pixels, predict: Predict, *, enlarge: Enlarge | None = None
) -> LeverOutcome:
    """A resize that is undone, or that the model would have made itself.

    Args:
        examined: the images.
        pixels: of these images, uint8 (m, h, w, 3).
        predict: images to logits; called on m images.
        enlarge: images to the input size of the network, rounded to uint8; None enlarges and reduces.
    """
    changed = repeated_and_averaged(pixels) if enlarge is None else enlarge(pixels)
    return LeverOutcome(
        name="placebo: resize and back" if enlarge is None else "placebo: resize beforehand",
        arm="every image enlarged to twice its size and averaged back"
        if enlarge is None
        else "every image stored at the network's own size beforehand, in whole grey values",
        control="the image as it is",
        examined=examined,
        arm_right=examined.right(predict(changed))[None],
        control_right=examined.own_right[None],
        advice="Nothing: this is a placebo.",
        group=PLACEBO,
    )


def shuffled_file(rows: int, *, trainings: int, seed: int) -> tuple[list[Retraining], list[Retraining]]:
    """Trainings after the lines of the label file were shuffled, and as many before."""
    order = np.random.default_rng(seed).permutation(rows)
    return replicates_of(order, rows, trainings, seed)


def copied_rows(rows: int, *, trainings: int, seed: int) -> tuple[list[Retraining], list[Retraining]]:
    """Trainings with every row twice and half the passes, and as many with every row once."""
    return replicates_of(np.tile(np.arange(rows), 2), rows, trainings, seed, passes=0.5)


def replicates_of(
    arm: Ints, rows: int, trainings: int, seed: int, *, passes: float = 1.0
) -> tuple[list[Retraining], list[Retraining]]:
    """Trainings of the last stage on the arm's rows and on all rows, with the same seeds."""
    return (
        [Retraining(arm, seed + r, passes=passes) for r in range(trainings)],
        [Retraining(np.arange(rows), seed + r) for r in range(trainings)],
    )


def judge_placebo(
    examined: ExaminedImages, name: str, arm: Sequence[Reals], control: Sequence[Reals]
) -> LeverOutcome:
    """The effect on trainings of a change that carries no information.

    Args:
        examined: the images.
        name: what was done, in words.
        arm, control: logits (m, k) of each replicate.
    """
    return LeverOutcome(
        name=f"placebo: {name}",
        arm=f"{len(arm)} trainings of the last stage after it",
        control=f"{len(control)} trainings with the same seeds",
        examined=examined,
        arm_right=examined.right(np.stack(arm)),
        control_right=examined.right(np.stack(control)),
        advice="Nothing: this is a placebo.",
        group=PLACEBO,
        paired=True,
    )
