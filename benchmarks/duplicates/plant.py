"""Near-duplicates made from test images, in the ways in which people pass pictures on."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Rng = np.random.Generator


def shift(image: Pixels, rng: Rng) -> Pixels:
    """By up to 4 pixels each way, the border mirrored."""
    down, right = rng.integers(0, 9, 2)
    return np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="reflect")[down : down + 32, right : right + 32]


def mirror(image: Pixels, rng: Rng) -> Pixels:
    return image[:, ::-1]


def crop(image: Pixels, rng: Rng) -> Pixels:
    """A window of 25 to 30 pixels, each way its own, enlarged to 32."""
    height, width = rng.integers(25, 31, 2)
    top, left = rng.integers(0, 33 - height), rng.integers(0, 33 - width)
    return resized(image[top : top + height, left : left + width])


def recompress(image: Pixels, rng: Rng) -> Pixels:
    """JPEG at quality 30 to 60."""
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=int(rng.integers(30, 61)))
    return np.asarray(Image.open(buffer))


def gain(image: Pixels, rng: Rng) -> Pixels:
    """Each channel times 0.7 to 1.3, plus -20 to 20 grey levels."""
    return np.clip(image * rng.uniform(0.7, 1.3, 3) + rng.uniform(-20, 20, 3), 0, 255).astype(np.uint8)


def grey(image: Pixels, rng: Rng) -> Pixels:
    """Without colour."""
    return np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)


def half(image: Pixels, rng: Rng) -> Pixels:
    """Reduced to 20 pixels and enlarged again."""
    return resized(resized(image, 20))


def all_at_once(image: Pixels, rng: Rng) -> Pixels:
    """Crop, gain, recompress, and mirror half of the time."""
    made = recompress(gain(crop(image, rng), rng), rng)
    return mirror(made, rng) if rng.random() < 0.5 else made


def resized(image: Pixels, side: int = 32) -> Pixels:
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(image)).resize((side, side), Image.Resampling.BICUBIC)
    )


KINDS: dict[str, Callable[[Pixels, Rng], Pixels]] = {
    "mirror": mirror,
    "shift": shift,
    "crop": crop,
    "recompress": recompress,
    "gain": gain,
    "grey": grey,
    "blur": half,
    "all at once": all_at_once,
}
