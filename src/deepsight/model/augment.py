"""Augmented views of the training images."""

import inspect
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from deepsight.images.augmentation import view_transform

GROUP = 16
"""Images that share one draw of the parameters, which takes a twentieth of the time of a draw per image.

Groups are random within a block, so that a group's images have nothing else in common."""


def augmented(pixels: NDArray[np.uint8], *, view: int, block: int, seed: int) -> NDArray[np.uint8]:
    """One view of a block of images: flipped, shifted, cropped, with other colours and an erased part.

    Args:
        pixels: uint8 (n, h, w, 3).
        view: 0 returns the images themselves; every other number is another augmentation.
        block: position of the block in the data set; together with `view` and `seed` it determines the draws.
        seed: of the study.

    Returns:
        uint8 (n, h, w, 3), a new array.
    """
    if view == 0:
        return pixels.copy()
    rng = np.random.default_rng([seed, view, block])
    order = rng.permutation(len(pixels))
    shift = pixels.shape[1] // 8
    padded = np.pad(pixels, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
    transform = view_transform(pixels.shape[1], pixels.shape[2], seed=int(rng.integers(2**31)))
    result = np.empty_like(pixels)
    for start in range(0, len(pixels), GROUP):
        group = order[start : start + GROUP]
        result[group] = transform(padded[group])
    return result


def definition() -> str:
    """The code and the version that produce the views, for the key of a cache."""
    return f"albumentations {version('albumentations')}\n{GROUP}\n" + "".join(
        inspect.getsource(function) for function in (augmented, view_transform)
    )
