"""All that DeepSight takes from Albumentations: the views for training, and the corruptions.

Albumentations 2.0 gets no further releases, so it stays behind this one file. What it would take to
replace it is measured in tests/images/test_augmentation.py, which makes equivalent views with
torchvision.transforms.v2.
"""

import os
from collections.abc import Callable

import cv2
import numpy as np

from deepsight.core.array_types import Pixels

# Albumentations asks a server for a newer version when it is imported; a study must not.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

Transform = Callable[[Pixels], Pixels]
COVERED = 128  # grey level of the covered rectangle
HOLE = (0.2, 0.35)  # its sides, as shares of the image's


def view_transform(height: int, width: int, *, seed: int) -> Transform:
    """A random view: mirrored, cropped, in other light and colours, partly covered.

    Args:
        height, width: of the crop, in pixels. The images that the transform gets may be larger.
        seed: of the draws; each call draws once for all images that it is given.

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
    """One corruption at one strength, drawn anew for each image.

    Args:
        corruption: noise, blur, contrast, brightness, jpeg or pixelation.
        amount: its strength, in the unit that the corruption has.
        side: the shorter side of the images, in pixels; blur grows with it.
        seed: of the draws.

    Returns:
        A function from uint8 (n, h, w, 3) to as many corrupted images; the originals stay as they are.
    """
    import albumentations as A

    transform = A.Compose([corruption_of(corruption, amount, side)], seed=seed)
    return lambda images: np.stack([transform(image=image)["image"] for image in images])


def corruption_of(corruption: str, amount: float, side: int) -> object:
    """The library's transform for one corruption at one strength, applied to every image."""
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
