"""The shape in which the user's images are stored: as large as the study needs, never enlarged."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log
from deepsight.obtain.data_uri import SIDES, DataAddress
from deepsight.obtain.decoding.crop import Fit, Shape, readable_formats, same_aspect, upright_size
from deepsight.obtain.decoding.decode import Listing

USUAL = 128  # pixels: the largest resolution that the planner chooses by default
MANY, SMALL = 100_000, 64  # above this many images, this side by default: 12 KB per image instead of 49
LOOKED_AT = 64  # images whose size is sampled


def stored_shape(
    address: DataAddress, listings: Mapping[str, Listing], *, resolution: int | None, log: Log
) -> Shape:
    """Height and width of the images in the cache.

    The side is given by the option `side`, else by the study's resolution, else it is 128 (64 above 100,000
    images). Except for the option, it is limited to the images' median side; smaller images are enlarged when
    they are used. With `fit=whole` it is the shorter side, and the other keeps the aspect ratio.

    Raises:
        UsageError: the option is not a whole number from 8 to 512.
        DeepSightError: `fit=whole`, but the images do not share one shape.
    """
    sizes = sampled_sizes(listings)
    side = stored_side(address, listings, sizes, resolution=resolution, log=log)
    shape = (side, side) if address.fit != "whole" else whole_shape(sizes, side)
    if address.side is None and sizes:
        typical = int(np.median([min(size) for size in sizes]))
        log(
            f"Images are stored as {shape[0]} x {shape[1]} px ({fit_in_words(address.fit)}; their median "
            f"side is {typical} px; ?side=N changes it)."
        )
    return shape


def fit_in_words(fit: Fit) -> str:
    """A fit in words."""
    return {
        "crop": "the largest central square",
        "pad": "the whole picture with black bars",
        "squash": "the whole picture, distorted to a square",
        "whole": "the whole picture",
    }[fit]


def stored_side(
    address: DataAddress,
    listings: Mapping[str, Listing],
    sizes: list[tuple[int, int]],
    *,
    resolution: int | None,
    log: Log,
) -> int:
    """The shorter side of the stored images in pixels."""
    if (given := address.side) is not None:
        if resolution and given < resolution:
            log(f"Images are stored at {given} px, as asked, and enlarged to --resolution {resolution}.")
        return given
    n = sum(len(listing.names) for listing in listings.values())
    wanted = resolution or (USUAL if n <= MANY else SMALL)
    # A padded or squashed picture is as large as its longer side.
    longest = address.fit in ("pad", "squash")
    there = int(np.median([max(size) if longest else min(size) for size in sizes])) if sizes else USUAL
    return max(SIDES.start, min(wanted, there))


def sampled_sizes(listings: Mapping[str, Listing]) -> list[tuple[int, int]]:
    """Width and height of a few images, evenly spread over the parts."""
    found = []
    for listing in listings.values():
        rows = np.unique(np.linspace(0, len(listing.names) - 1, LOOKED_AT // len(listings)).astype(int))
        found += [size for row in rows if len(listing.names) and (size := size_of(listing, int(row)))]
    return found


def size_of(listing: Listing, row: int) -> tuple[int, int] | None:
    """Width and height of an image by its header when upright; None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(listing.read(row)), formats=readable_formats()) as image:
            return upright_size(image)
    except Exception:  # damaged files raise almost anything; decoding them gives the reason
        return None


def whole_shape(sizes: list[tuple[int, int]], side: int) -> Shape:
    """The shape with this shorter side and the aspect ratio that all images share.

    Raises:
        DeepSightError: no size can be read, or the aspect ratios differ.
    """
    if not sizes:
        raise DeepSightError("Expected images whose size can be read for fit=whole, found none.")
    width, height = (float(np.median([size[axis] for size in sizes])) for axis in (0, 1))
    scale = side / min(width, height)
    shape = (round(height * scale), round(width * scale))
    others = [size for size in sizes if not same_aspect(size, shape)]
    if others:
        raise DeepSightError(
            f"Expected images of one shape for fit=whole, received {others[0][0]} x {others[0][1]} among "
            f"{width:g} x {height:g} pixels. Use ?fit=pad, ?fit=crop or ?fit=squash."
        )
    return shape
