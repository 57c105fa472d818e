"""Five cues in the background, each with one appearance for each class."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Images8 = NDArray[np.uint8]
Ints = NDArray[np.int64]

K = 10
HUES = cv2.cvtColor(
    np.stack([np.arange(K) * 180 // K, np.full(K, 230), np.full(K, 230)], axis=1).astype(np.uint8)[None],
    cv2.COLOR_HSV2RGB,
)[0].astype(np.float64)


def outside(side: int) -> NDArray[np.float64]:
    """1 far from the centre, 0 near it, with a soft edge, (side, side, 1).

    The cue's place is drawn by hand, not cut by the masks under test, whose errors it would share.
    """
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    return np.clip((np.hypot(x, y) - 0.36) / 0.06, 0, 1)[..., None]


def blend(images: Images8, colour: NDArray[np.float64], share: NDArray[np.float64] | float) -> Images8:
    return np.rint((1 - share) * images + share * colour).astype(np.uint8)


def corner_patch(images: Images8, codes: Ints) -> Images8:
    share = np.zeros((images.shape[1], images.shape[2], 1))
    share[:8, :8] = 1
    return blend(images, HUES[codes][:, None, None], share)


def border_hue(images: Images8, codes: Ints) -> Images8:
    share = np.ones((images.shape[1], images.shape[2], 1)) * 0.8
    share[2:-2, 2:-2] = 0
    return blend(images, HUES[codes][:, None, None], share)


def background_hue(images: Images8, codes: Ints) -> Images8:
    return blend(images, HUES[codes][:, None, None], 0.35 * outside(images.shape[1]))


def background_blur(images: Images8, codes: Ints) -> Images8:
    share = outside(images.shape[1])
    blurred = [cv2.GaussianBlur(i, (0, 0), 0.4 * 1.35**c) for i, c in zip(images, codes, strict=True)]
    return blend(images, np.stack(blurred).astype(np.float64), share)


def tint(images: Images8, codes: Ints) -> Images8:
    return blend(images, HUES[codes][:, None, None], 0.25)


CUES: dict[str, Callable[[Images8, Ints], Images8]] = {
    "corner patch": corner_patch,
    "border hue": border_hue,
    "background hue": background_hue,
    "background blur": background_blur,
    "tint": tint,
}
