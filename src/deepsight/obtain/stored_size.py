"""The side at which own images are stored: what the study needs, but never more than the images have."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from deepsight.core.progress import Log
from deepsight.obtain.crop import Unreadable, readable_formats
from deepsight.obtain.data_uri import SIDES, DataAddress
from deepsight.obtain.decode import Listing

USUAL = 128  # pixels: the largest resolution that the planner chooses by itself
MANY, SMALL = 100_000, 64  # above so many images, this side unless more is asked: 12 KB an image, not 49
LOOKED_AT = 64  # images whose size is looked up


def stored_side(
    address: DataAddress, listings: Mapping[str, Listing], *, resolution: int | None, log: Log
) -> int:
    """Pixels a side of the squares in the cache.

    The option `side` decides. Without it, the study's resolution, or 128 (64 above 100,000 images) where none
    was asked for; but images that are smaller keep their size, and are enlarged when they are used.

    Raises:
        UsageError: the option is no whole number from 8 to 512.
    """
    if (given := address.side) is not None:
        if resolution and given < resolution:
            log(f"Images are stored at {given} px, as asked, and enlarged to --resolution {resolution}.")
        return given
    n = sum(len(listing.names) for listing in listings.values())
    wanted, there = resolution or (USUAL if n <= MANY else SMALL), median_side(listings)
    side = max(SIDES.start, min(wanted, there))
    log(f"Images are stored as squares of {side} px (their median side is {there} px; ?side=N changes it).")
    return side


def median_side(listings: Mapping[str, Listing]) -> int:
    """The median of the smaller side, in pixels, of a few images that are evenly spread over the parts."""
    found = []
    for listing in listings.values():
        rows = np.unique(np.linspace(0, len(listing.names) - 1, LOOKED_AT // len(listings)).astype(int))
        found += [side for row in rows if len(listing.names) and (side := smaller_side(listing, int(row)))]
    return int(np.median(found)) if found else USUAL


def smaller_side(listing: Listing, row: int) -> int:
    """The smaller side of an image by its header; 0 where it cannot be read."""
    try:
        with Image.open(io.BytesIO(listing.read(row)), formats=readable_formats()) as image:
            return min(image.size)
    except (Unreadable, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0
