"""Small made data sets of any side, number of classes and balance, with the faults that real ones have."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


def class_sizes(k: int, n: int, *, ratio: float = 1.0) -> list[int]:
    """Images of each class: n in all, the first class `ratio` times as large as the last, none below 1."""
    weights = np.geomspace(ratio, 1.0, k)
    sizes = np.maximum(1, np.floor(n * weights / weights.sum())).astype(int)
    sizes[0] += max(0, n - int(sizes.sum()))
    return [int(size) for size in sizes]


def pictures(sizes: Sequence[int], side: int, *, seed: int = 0) -> tuple[Pixels, Labels]:
    """Noise with a bar whose colour and direction tell the class, in shuffled order."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
    rng.shuffle(labels)
    images = rng.integers(60, 190, (len(labels), side, side, 3), dtype=np.uint8)
    colours = np.random.default_rng(1).integers(0, 256, (len(sizes), 3), dtype=np.uint8)
    thick = max(2, side // 3)
    for image, label in zip(images, labels, strict=True):
        start = int(rng.integers(0, side - thick + 1))
        bar = (slice(start, start + thick), slice(None))
        image[bar if label % 2 else bar[::-1]] = colours[label]
    return images, labels


def with_copies(images: Pixels, labels: Labels, count: int, *, conflicting: bool) -> tuple[Pixels, Labels]:
    """The first images repeat the last ones with less contrast, under the same or the next class."""
    images, labels = images.copy(), labels.copy()
    images[:count] = (images[-count:] * 0.8 + 20).astype(np.uint8)
    labels[:count] = (labels[-count:] + conflicting) % (labels.max() + 1)
    return images, labels


def write_arrays(path: Path, **parts: tuple[Pixels, Labels]) -> str:
    """An .npz file with the parts `train`, `val` and `test` that are given."""
    prefixes = {"train": "", "val": "val_", "test": "test_"}
    content = {}
    for name, (images, labels) in parts.items():
        content |= {f"{prefixes[name]}images": images, f"{prefixes[name]}labels": labels}
    np.savez(path, **content)
    return f"arrays:{path}"


def write_folder(root: Path, images: Pixels, labels: Labels, *, mode: str) -> str:
    """A folder of class folders with PNG files of a mode: RGB, L, RGBA (half see-through) or I;16."""
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = root / f"class {label}"
        place.mkdir(parents=True, exist_ok=True)
        as_mode(image, mode).save(place / f"{row:04d}.png")
    return f"folder:{root}"


def as_mode(image: Pixels, mode: str) -> Image.Image:
    """The picture in a mode of PNG files."""
    picture = Image.fromarray(image)
    if mode == "RGBA":
        alpha = np.full(image.shape[:2], 255, dtype=np.uint8)
        alpha[:, : image.shape[1] // 2] = 90
        picture.putalpha(Image.fromarray(alpha))
    elif mode == "L":
        picture = picture.convert("L")
    elif mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    return picture
