"""Image quality: does repairing the images fix more errors than it breaks correct answers?"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import polars as pl

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.open_model import Predict
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome
from deepsight.interpret.slices.image_properties import measured_properties

LOOKS = ("brightness", "contrast", "sharpness")
UNUSUAL = 0.3  # standard deviations from which on images look unlike the usual ones
RESTORED = 0.8  # a repair restores the usual look where at most this share of the distance is left

Repair = Callable[[Pixels], Pixels]


def each_image(change: Callable[[Pixels], Pixels]) -> Repair:
    """A repair of single images (h, w, 3), applied to many."""
    return lambda pixels: np.stack([change(image) for image in pixels])


def denoised(image: Pixels) -> Pixels:
    """Noise averaged away within similar colours (bilateral filter, Tomasi & Manduchi 1998)."""
    return np.asarray(cv2.bilateralFilter(np.ascontiguousarray(image), 5, 25, 2), dtype=np.uint8)


def stretched(image: Pixels) -> Pixels:
    """All channels stretched alike, so that the 2nd and 98th percentile become 0 and 255."""
    low, high = np.percentile(image, (2, 98))
    if high - low < 1:
        return image
    return np.asarray(np.clip((image - low) * (255 / (high - low)), 0, 255), dtype=np.uint8)


def sharpened(image: Pixels) -> Pixels:
    """The detail that a small blur removes, added once more (unsharp masking)."""
    blurred = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), max(0.8, image.shape[0] / 40))
    return np.asarray(cv2.addWeighted(image, 2.0, blurred, -1.0, 0), dtype=np.uint8)


REPAIRS: Mapping[str, Repair] = MappingProxyType(
    {
        "denoised": each_image(denoised),
        "contrast stretched": each_image(stretched),
        "sharpened": each_image(sharpened),
    }
)


def best_repair(pixels: Pixels, labels: Ints, predict: Predict) -> str:
    """The repair with the most correct answers on these images, which are not the examined ones.

    Args:
        pixels: of validation, uint8 (n, h, w, 3).
        labels: int64 (n,).
        predict: images to logits; called on 3 n images.
    """
    right = {
        name: int((predict(repair(pixels)).argmax(axis=1) == labels).sum())
        for name, repair in REPAIRS.items()
    }
    return max(right, key=lambda name: right[name])


def restoring_repair(examined: Pixels, usual: Pixels) -> str:
    """The repair that makes the examined images look most like the usual ones; empty where none does.

    Validation images resemble the training images, so they cannot tell what repairs damage that only the
    examined ones have. The choice rests on pixels alone and uses no label of an examined image.

    Args:
        examined: uint8 (m, h, w, 3).
        usual: of training or validation, uint8 (n, h, w, 3).
    """
    reference = measured_properties(usual)
    before = looks_apart(examined, reference)
    if before < UNUSUAL:
        return ""
    after = {name: looks_apart(repair(examined), reference) for name, repair in REPAIRS.items()}
    nearest = min(after, key=lambda name: after[name])
    return nearest if after[nearest] < RESTORED * before else ""


def looks_apart(pixels: Pixels, reference: pl.DataFrame) -> float:
    """The distance of images from a reference: of the means of log brightness, contrast and sharpness.

    Each difference is in standard deviations of the reference; the result is their mean.
    """
    measured = measured_properties(pixels)
    apart = []
    for name in LOOKS:
        here, there = (np.log(frame[name].to_numpy() + 1e-3) for frame in (measured, reference))
        apart.append(abs(here.mean() - there.mean()) / max(float(there.std()), 1e-3))
    return float(np.mean(apart))


def try_repair(
    examined: ExaminedImages, pixels: Pixels, predict: Predict, *,
    name: str, chosen: str = "the repair that validation chose", seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """Repair every image before the model sees it, against the image as it is.

    Args:
        examined: the images.
        pixels: of these images, uint8 (m, h, w, 3).
        predict: images to logits; called on m images.
        name: of the repair, chosen by `restoring_repair` or, on validation, by `best_repair`.
        chosen: how it was chosen, in words.
        seconds: computing time of the trial.
    """
    right = examined.right(predict(REPAIRS[name](pixels)))
    return LeverOutcome(
        name="repairing the image",
        arm=f"every image {name}, {chosen}",
        control="the image as it is",
        examined=examined,
        arm_right=right[None],
        control_right=examined.own_right[None],
        advice=f"Have every image {name} before the model sees it, or reject images of low quality.",
        group="quality",
        seconds=seconds,
        evidence=tuple(f"{'right' if now else 'wrong'} once {name}" for now in right),
    )
