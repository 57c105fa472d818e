"""Everything that DeepSight uses from Albumentations: the views for training, and the corruptions.

Albumentations 2.0 gets no further releases, so only this module imports it. tests/images/test_augmentation.py
shows how to replace it: it makes equivalent views with torchvision.transforms.v2.
"""

import os
from collections.abc import Callable

import cv2
import numpy as np

from deepsight.core.array_types import Pixels

# On import, Albumentations asks a server for a newer version, which a study must not do.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

Transform = Callable[[Pixels], Pixels]
COVERED = 128  # grey level of the covered rectangle
HOLE = (0.2, 0.35)  # range of its sides, as shares of the image's


def view_transform(height: int, width: int, *, seed: int) -> Transform:
    """A random view: mirrored, cropped, with changed light and colours, partly covered.

    Args:
        height, width: of the crop, in pixels. The transform's input may be larger.
        seed: random seed; each call of the transform draws once for all images passed to it.

    Returns:
        A function from uint8 (n, h, w, 3) to uint8 (n, height, width, 3).
    """
    import albumentations as A

    transform = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.RandomCrop(height, width),
            A.RandomBrightnessContrast(0.15, 0.15, p=0.5),
            A.RGBShift(12, 12, 12, p=0.3),
            A.CoarseDropout(
                num_holes_range=(1, 1), hole_height_range=HOLE, hole_width_range=HOLE, fill=COVERED, p=0.3
            ),
        ],
        seed=seed,
    )
    return lambda images: transform(images=images)["images"]


def corruption_transform(corruption: str, amount: float, side: int, *, seed: int) -> Transform:
    """One corruption at one strength, with an independent draw for each image.

    Args:
        corruption: "noise", "blur", "contrast", "brightness", "jpeg" or "pixelation".
        amount: its strength: noise as a standard deviation on [0, 1], blur as a standard deviation in pixels
            at 32 pixels, contrast as a factor, brightness as an added share, JPEG quality, or the scale of
            pixelation.
        side: the shorter side of the images, in pixels; blur is scaled with it.
        seed: random seed of the draws.

    Returns:
        A function from uint8 (n, h, w, 3) to the corrupted images, in a new array of the same shape.
    """
    import albumentations as A

    transform = A.Compose([corruption_of(corruption, amount, side)], seed=seed)
    return lambda images: np.stack([transform(image=image)["image"] for image in images])


def corruption_of(corruption: str, amount: float, side: int) -> object:
    """The Albumentations transform for one corruption at one strength."""
    import albumentations as A

    match corruption:
        case "noise":
            return A.GaussNoise(std_range=(amount, amount), p=1)
        case "blur":
            sigma = amount * side / 32
            return A.GaussianBlur(blur_limit=0, sigma_limit=(sigma, sigma), p=1)
        case "contrast":
            still = (1.0, 1.0)
            return A.ColorJitter(
                brightness=still, contrast=(amount, amount), saturation=still, hue=(0, 0), p=1
            )
        case "brightness":
            return A.RandomBrightnessContrast((amount, amount), (0, 0), brightness_by_max=True, p=1)
        case "jpeg":
            return A.ImageCompression("jpeg", (int(amount), int(amount)), p=1)
        case _:
            pair = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_NEAREST_EXACT}
            return A.Downscale((amount, amount), interpolation_pair=pair, p=1)
