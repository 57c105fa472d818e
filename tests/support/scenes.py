"""Scenes with a known object, a known background and models whose reliance is known exactly."""

import numpy as np

from deepsight.interpret.background.grabcut import Masks

CLASSES = ("red", "green", "blue", "yellow")
COLOURS = np.array([(220, 40, 40), (40, 200, 40), (40, 40, 220), (220, 200, 40)])


def scenes(n: int, *, aligned: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Masks]:
    """Discs in their class's colour; the ground has half that colour too with probability `aligned`."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(CLASSES)
    ground = np.where(rng.random(n) < aligned, labels, rng.integers(len(CLASSES), size=n))
    y, x = np.mgrid[:128, :128]
    inside = np.stack(
        [(y - cy) ** 2 + (x - cx) ** 2 < 20**2 for cy, cx in 64 + rng.integers(-36, 37, size=(n, 2))]
    )
    masks = Masks(inside, np.ones(n, dtype=bool))
    share = masks.cover(32, 32)[..., None]
    clean = share * COLOURS[labels][:, None, None] + (1 - share) * COLOURS[ground][:, None, None] // 2
    noise = rng.normal(0, 8, size=clean.shape)
    return np.clip(clean + noise, 0, 255).astype(np.uint8), labels.astype(np.int64), masks


def nearest_colour(rgb: np.ndarray) -> np.ndarray:
    """Logits (n, 4): cosine of a mean colour with each class's colour."""
    unit = rgb / np.linalg.norm(rgb, axis=1, keepdims=True)
    return 20 * unit @ (COLOURS / np.linalg.norm(COLOURS, axis=1, keepdims=True)).T


def looks_at_object(images: np.ndarray) -> np.ndarray:
    """A model that reads bright pixels only, which the ground never has."""
    bright = (images.max(axis=3) > 150)[..., None]
    return nearest_colour((images * bright).sum(axis=(1, 2)) + 1e-3)


def looks_at_corner(images: np.ndarray) -> np.ndarray:
    """A model that reads a corner only, where no object ever is."""
    return nearest_colour(images[:, :2, :2].mean(axis=(1, 2)))


def colour_maps(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Evidence where a block of pixels has the class's own hue and not another's."""
    n, h, w, _ = images.shape
    block = images.reshape(n, h // 8, 8, w // 8, 8, 3).mean(axis=(2, 4))
    block = block / np.linalg.norm(block, axis=-1, keepdims=True)
    unit = COLOURS / np.linalg.norm(COLOURS, axis=1, keepdims=True)
    nearest = (block @ unit.T).argmax(axis=-1)
    return np.where(nearest[:, None] == classes[:, :, None, None], 1.0, 0.0)
