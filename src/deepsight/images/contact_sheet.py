"""Contact sheets: thumbnails of many images as one picture (docs/methods/report.md).

A sheet has `ACROSS` tiles per line, in the order of the rows of its table.
"""

import cv2
import numpy as np

from deepsight.core.array_types import Pixels
from deepsight.images import overlay

ACROSS = 32
LOSSLESS = 101  # above a quality of 100, OpenCV writes lossless WebP
LOSSLESS_PIXELS = 1024 * 1024


def contact_sheet(images: Pixels, *, largest: int = 64) -> Pixels:
    """All images as tiles of one picture, `ACROSS` per line. A tile's side is the sheet's width / `ACROSS`.

    Args:
        images: uint8 (n, h, w, 3); those that are not square are squashed.
        largest: maximum side of a tile in pixels; larger images are reduced by area averaging.

    Returns:
        uint8 (side · ceil(n / ACROSS), side · ACROSS, 3); cells without an image are black.
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
    """Three tiles for each pair: the first image, the second, and their difference.

    Args:
        first, second: uint8 (n, h, w, 3), pair by pair.
        difference: uint8 (n, h, w, 3), the difference of each pair as a picture.

    Returns:
        uint8 (3n, h, w, 3).
    """
    return np.stack([first, second, difference], axis=1).reshape(-1, *first.shape[1:])


def webp_sheet(sheet: Pixels) -> bytes:
    """The sheet as a WebP file: lossless up to `LOSSLESS_PIXELS` pixels, at quality 95 above.

    A thousand thumbnails of 32 px take 1.7 MB lossless and 0.6 MB at quality 95, and a report holds all of
    them.
    """
    pixels = sheet.shape[0] * sheet.shape[1]
    return overlay.webp_bytes(sheet, quality=LOSSLESS if pixels <= LOSSLESS_PIXELS else 95)
