"""Cached views of images whose pixels are mixed, with one mixture per view."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.model.training.sampling import Mixing, own_weight

GROUP = 16  # images that share one draw of the share and the rectangle; their partners differ


@dataclass(frozen=True)
class Partners:
    """The image that each of n images was mixed with, and its own share.

    Attributes:
        rows: int64 (n,), position of the other image.
        own: float32 (n,), share of the image itself, 0 to 1.
    """

    rows: NDArray[np.int64]
    own: NDArray[np.float32]


def mix_block(
    pixels: NDArray[np.uint8], mixing: Mixing, *, view: int, block: int, seed: int
) -> NDArray[np.uint8]:
    """The images of a block (n, h, w, 3) mixed with their partners of `drawn_mixture`, as a new array."""
    partner, weight = drawn_mixture(len(pixels), pixels.shape[1], pixels.shape[2], mixing, view, block, seed)
    own = weight[..., None]
    mixed = own * pixels + (1 - own) * pixels[partner]
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def partners_of(
    n: int, height: int, width: int, mixing: Mixing, *, view: int, size: int, seed: int
) -> Partners:
    """The partners in a whole view of n images of this height and width, in blocks of `size`."""
    rows, own = [], []
    for block, start in enumerate(range(0, n, size)):
        partner, weight = drawn_mixture(min(size, n - start), height, width, mixing, view, block, seed)
        rows.append(start + partner)
        own.append(weight.mean(axis=(1, 2)))
    return Partners(np.concatenate(rows), np.concatenate(own))


def drawn_mixture(
    n: int, height: int, width: int, mixing: Mixing, view: int, block: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The partner of each image (n,) and its own weight at every pixel (n, height, width)."""
    rng = np.random.default_rng([seed, 4, view, block])
    partner = rng.permutation(n).astype(np.int64)
    weights = [own_weight(height, width, mixing, rng) for _ in range(0, n, GROUP)]
    return partner, np.repeat(np.stack(weights), GROUP, axis=0)[:n]
