"""Fragility: does the answer survive a change that keeps the label?"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from deepsight.core.array_types import Floats, Pixels
from deepsight.core.open_model import Predict
from deepsight.core.predictions import softmax
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome

Jitter = Callable[[Pixels], Pixels]

BRIGHTER = 1.12  # factor on every pixel; within the range of the training augmentation


def mirror(pixels: Pixels) -> Pixels:
    """Flipped horizontally."""
    return np.ascontiguousarray(pixels[:, :, ::-1])


def shift(down: int, right: int) -> Jitter:
    """Shifted by thirty-seconds of the side, with the border reflected into the gap."""

    def moved(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[1:3]
        dy, dx = round(down * height / 32), round(right * width / 32)
        pad = ((0, 0), (abs(dy), abs(dy)), (abs(dx), abs(dx)), (0, 0))
        wider = np.pad(pixels, pad, mode="reflect")
        top, left = abs(dy) - dy, abs(dx) - dx
        return np.ascontiguousarray(wider[:, top : top + height, left : left + width])

    return moved


def light(factor: float) -> Jitter:
    """Every pixel multiplied by a factor."""
    return lambda pixels: np.clip(np.rint(pixels * factor), 0, 255).astype(np.uint8)


# The most informative first: a plan with little time takes the first ones. Shifts are at most 3 pixels in 32.
JITTERS: Mapping[str, Jitter] = MappingProxyType(
    {
        "mirrored": mirror,
        "moved up and left": shift(-2, -2),
        "moved down and right": shift(2, 2),
        "brighter": light(BRIGHTER),
        "darker": light(1 / BRIGHTER),
        "moved left": shift(0, -3),
        "moved right": shift(0, 3),
    }
)


def try_fragility(
    examined: ExaminedImages, pixels: Pixels, predict: Predict, *, views: int, seconds: float = 0.0
) -> LeverOutcome:
    """Average the model's answers over jittered copies of each image, against the image alone.

    Args:
        examined: the images.
        pixels: of these images, uint8 (m, h, w, 3).
        predict: images to logits; called on m · views images.
        views: jitters to try, 1 to 7.
        seconds: computing time of the passes.
    """
    chosen = list(JITTERS.values())[:views]
    seen = np.stack([softmax(predict(jitter(pixels))) for jitter in chosen])
    own = softmax(examined.logits)
    right = examined.right(seen).sum(axis=0).astype(int)
    stuck = same_wrong_in_all(examined, seen)
    count = len(chosen)
    return LeverOutcome(
        name="averaging over views",
        arm=f"average over the image and {count} jittered copies",
        control="the image alone",
        examined=examined,
        arm_right=examined.right(np.concatenate([own[None], seen]).mean(axis=0))[None],
        control_right=examined.own_right[None],
        advice=f"Average the answers over {count + 1} views of each image (test-time augmentation).",
        group="fragility",
        seconds=seconds,
        strength=right / count - examined.own_right,
        evidence=tuple(
            f"the same wrong class in all {count} jittered copies"
            if same
            else f"right in {n} of {count} jittered copies"
            for n, same in zip(right, stuck, strict=True)
        ),
    )


def same_wrong_in_all(examined: ExaminedImages, seen: Floats) -> Floats:
    """1 where every view (v, m, k) yields the class of the model's own answer, and it is wrong: (m,)."""
    same = (seen.argmax(axis=2) == examined.predicted).all(axis=0)
    return np.asarray(same & examined.wrong, dtype=np.float64)
