"""A task whose evidence lies in one known place: grey noise with a coloured patch, or a disc on a ground."""

from typing import NamedTuple

import numpy as np

from deepsight.core.dataset import Dataset

CLASSES = ("red", "green", "blue", "yellow")
COLOURS = np.array([(230, 40, 40), (40, 210, 40), (50, 60, 230), (230, 210, 40)])
PATCH = 10  # pixels a side of the patch, in images of 32


class Planted(NamedTuple):
    """Images of the task, and where the evidence is, bool (n, side, side)."""

    data: Dataset
    inside: np.ndarray


def planted_patches(n: int, *, side: int = 32, seed: int = 0) -> Planted:
    """Grey noise with one patch in the class's colour."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(CLASSES)
    images = np.repeat(rng.integers(60, 190, (n, side, side, 1)), 3, axis=3).astype(np.uint8)
    size = side * PATCH // 32
    inside = np.zeros((n, side, side), dtype=bool)
    for i, (top, left) in enumerate(rng.integers(0, side - size + 1, (n, 2))):
        inside[i, top : top + size, left : left + size] = True
    noise = rng.integers(-20, 21, (n, side, side, 3))
    images[inside] = np.clip(COLOURS[labels][:, None, None] + noise, 0, 255)[inside]
    return Planted(Dataset(images, labels.astype(np.int64), CLASSES, np.arange(n), "test"), inside)


def discs_on_grounds(n: int, *, cue: str, side: int = 32, seed: int = 0) -> Planted:
    """A disc of one colour on a ground of another, drawn at random; the class is that of the `cue`.

    Args:
        cue: "object" or "background".
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(CLASSES)
    other = rng.integers(len(CLASSES), size=n)
    disc, ground = (labels, other) if cue == "object" else (other, labels)
    y, x = np.mgrid[:side, :side]
    centres = side / 2 + rng.integers(-side // 8, side // 8 + 1, (n, 2))
    inside = np.stack([(y - cy) ** 2 + (x - cx) ** 2 < (side / 5) ** 2 for cy, cx in centres])
    images = np.where(inside[..., None], COLOURS[disc][:, None, None], COLOURS[ground][:, None, None] // 2)
    images = np.clip(images + rng.normal(0, 6, images.shape), 0, 255).astype(np.uint8)
    return Planted(Dataset(images, labels.astype(np.int64), CLASSES, np.arange(n), "test"), inside)
