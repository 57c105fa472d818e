"""Small made photographs, soft blobs of light whose hue tells the class, as files with their faults."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
HUES = np.array([(200, 90, 60), (60, 160, 90), (70, 90, 190)])


def photos(n: int, *, side: int = 48, classes: int = 2, seed: int = 0) -> tuple[Pixels, NDArray[np.int64]]:
    """Images (n, side, side, 3) with detail at every scale, and their classes in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    images = np.empty((n, side, side, 3), dtype=np.uint8)
    for row, label in enumerate(labels):
        field = sum(
            2.0**-level * cv2.resize(rng.normal(size=(2**level + 1, 2**level + 1, 3)), (side, side))
            for level in range(1, 6)
        )
        images[row] = np.clip(HUES[label] + 90 * field + rng.normal(0, 6, field.shape), 0, 255)
    return images, labels.astype(np.int64)


def write_photos(
    root: Path, images: Pixels, labels: Sequence[int], *, names: str = "{row:04d}.png", start: int = 0
) -> list[Path]:
    """Each image as a file in the folder of its class: `first`, `second`, `third`."""
    written = []
    for row, (image, label) in enumerate(zip(images, labels, strict=True), start):
        folder = root / ("first", "second", "third")[label]
        folder.mkdir(parents=True, exist_ok=True)
        written.append(folder / names.format(row=row))
        Image.fromarray(image).save(written[-1])
    return written


def save_with_exif(file: Path, image: Pixels, *, camera: str | None = None, taken: str | None = None) -> None:
    """A JPEG that notes its camera and its time of exposure, such as "2024:05:01 10:00:00"."""
    exif = Image.Exif()
    if camera is not None:
        make, _, model = camera.partition(" ")
        exif[0x010F], exif[0x0110] = make, model
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = taken
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(file, quality=95, exif=exif)
