"""Properties of an image that a person can see, measured from its pixels."""

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Floats32
from deepsight.core.dataset import Images
from deepsight.images.brightness import luma

BLOCK = 2048  # images in memory at once
JPEG_QUALITY = 90
BINS = 32  # of the brightness histogram behind the entropy

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "brightness": "mean luma, 0 to 1",
        "contrast": "standard deviation of luma, 0 to 0.5",
        "colourfulness": "Hasler & Süsstrunk (2003), 0 to about 1",
        "sharpness": "mean absolute Laplacian of luma, 0 to 4",
        "entropy": f"bits, of a luma histogram of {BINS} bins, 0 to 5",
        "object_size": "share of pixels unlike the border, 0 to 1",
        "border_red": "mean of the outer ring, 0 to 1",
        "border_green": "mean of the outer ring, 0 to 1",
        "border_blue": "mean of the outer ring, 0 to 1",
        "compressed_size": f"bytes per pixel as JPEG of quality {JPEG_QUALITY}",
    }
)


def measured_properties(images: Images) -> pl.DataFrame:
    """The properties of `UNITS` for each image, one row per image.

    Args:
        images: uint8 (n, h, w, 3), RGB, at least 3 × 3 pixels; read in blocks.
    """
    starts = range(0, len(images), BLOCK)
    parts = [properties_of_block(np.asarray(images[s : s + BLOCK], dtype=np.uint8)) for s in starts]
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(UNITS, pl.Float64))


def properties_of_block(images: NDArray[np.uint8]) -> pl.DataFrame:
    """`measured_properties` on images that are in memory."""
    pixels = images.astype(np.float32) / np.float32(255)
    grey = luma(pixels)
    ring = border_pixels(pixels)
    red, green, blue = ring.mean(axis=1).T
    columns = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "colourfulness": colourfulness(pixels),
        "sharpness": sharpness(grey),
        "entropy": luma_entropy(grey),
        "object_size": object_size(pixels, ring),
        "border_red": red,
        "border_green": green,
        "border_blue": blue,
        "compressed_size": compressed_size(images),
    }
    return pl.DataFrame({name: np.asarray(value, dtype=np.float64) for name, value in columns.items()})


def colourfulness(pixels: Floats32) -> Floats32:
    """Spread and strength of the opponent colours, (n,) (Hasler & Süsstrunk 2003)."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    opponents = np.stack([red - green, (red + green) / 2 - blue]).reshape(2, len(pixels), -1)
    spread = np.sqrt(opponents.var(axis=2).sum(axis=0))
    return np.asarray(spread + 0.3 * np.sqrt((opponents.mean(axis=2) ** 2).sum(axis=0)))


def sharpness(grey: Floats32) -> Floats32:
    """Mean absolute Laplacian (four neighbours minus four times the pixel), (n,)."""
    inner = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return np.asarray(np.abs(around - 4 * inner).mean(axis=(1, 2)))


def luma_entropy(grey: Floats32) -> Floats:
    """Shannon entropy of the histogram of luma, in bits, (n,)."""
    n = len(grey)
    place = np.minimum((grey.reshape(n, -1) * BINS).astype(np.int64), BINS - 1)
    flat = (place + BINS * np.arange(n)[:, None]).ravel()
    share = np.bincount(flat, minlength=n * BINS).reshape(n, BINS) / place.shape[1]
    return np.asarray(-(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1), dtype=np.float64)


def border_pixels(pixels: Floats32) -> Floats32:
    """The pixels of the outer ring, a sixteenth of the side wide, (n, p, 3)."""
    height, width = pixels.shape[1:3]
    ring = np.ones((height, width), dtype=bool)
    edge = max(1, min(height, width) // 16)
    ring[edge:-edge, edge:-edge] = False
    return pixels[:, ring]


def object_size(pixels: Floats32, ring: Floats32) -> Floats32:
    """Share of pixels farther from the border's median colour than nine in ten border pixels are, (n,).

    A proxy that holds for an object on a uniform background and says little on a busy one.
    """
    centre = np.median(ring, axis=1, keepdims=True)
    limit = np.quantile(np.linalg.norm(ring - centre, axis=2), 0.9, axis=1)
    away = np.linalg.norm(pixels - centre[:, None], axis=3)
    return np.asarray((away > limit[:, None, None] + 1e-6).mean(axis=(1, 2), dtype=np.float32))


def compressed_size(images: NDArray[np.uint8]) -> Floats:
    """Bytes per pixel after JPEG compression, a measure of detail, (n,)."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    sizes = [len(cv2.imencode(".jpg", image, options)[1]) for image in images]
    return np.asarray(np.array(sizes) / (images.shape[1] * images.shape[2]), dtype=np.float64)
