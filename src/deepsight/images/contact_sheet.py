"""Thumbnails of many images as one picture.

A sheet holds `ACROSS` tiles per line, in the order of its table's rows (contract: docs/methods/report.md).
"""

import cv2
import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.images import overlay

ACROSS = 32
LOSSLESS = 101  # OpenCV's sign for WebP without loss
LOSSLESS_PIXELS = 1024 * 1024


def sheet(images: Pixels, *, largest: int = 64) -> Pixels:
    """All images as tiles of one picture, `ACROSS` a line, so that a tile's side is the width over `ACROSS`.

    Args:
        images: uint8 (n, h, w, 3); made square by shrinking or stretching where they are not.
        largest: the largest side of a tile in pixels; larger images are shrunk by area.

    Returns:
        uint8 (side · ceil(n / ACROSS), side · ACROSS, 3); places without an image are black.
    """
    side = min(max(images.shape[1:3]), largest)
    lines = max(1, -(-len(images) // ACROSS))
    tiles = np.zeros((lines * ACROSS, side, side, 3), dtype=np.uint8)
    for place, image in enumerate(images):
        same = image.shape[:2] == (side, side)
        tiles[place] = image if same else cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    grid = tiles.reshape(lines, ACROSS, side, side, 3).swapaxes(1, 2)
    return grid.reshape(lines * side, ACROSS * side, 3)


def pair_tiles(first: Pixels, second: Pixels, difference: Pixels) -> Pixels:
    """For each pair three pictures in a row: the first, the second, and how they differ.

    Args:
        first, second: uint8 (n, h, w, 3), pair by pair.
        difference: uint8 (n, h, w, 3), a picture of the difference of each pair.

    Returns:
        uint8 (3n, h, w, 3).
    """
    return np.stack([first, second, difference], axis=1).reshape(-1, *first.shape[1:])


def encode(sheet: Pixels) -> bytes:
    """The sheet as the bytes of a WebP file: without loss up to `LOSSLESS_PIXELS`, else at quality 95.

    A thousand thumbnails of 32 px take 1.7 MB without loss and 0.6 MB at quality 95, and all of them must
    fit into one report.
    """
    pixels = sheet.shape[0] * sheet.shape[1]
    return overlay.webp(sheet, quality=LOSSLESS if pixels <= LOSSLESS_PIXELS else 95)
