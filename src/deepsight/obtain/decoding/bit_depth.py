"""The value range of images with more than 8 bits per value, found from the images themselves.

Scanners and microscopes write 12-bit data into 16-bit files, and small numbers into 32-bit integers, which no
header records. The largest value shows it: it needs 10, 12, 14 or 16 bits. Images of one data set share a
range, so that a dark image among bright ones stays dark.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels

BITS = (8, 10, 12, 14, *range(16, 33))
GAP = 4.0  # maxima this many times apart, with none in between, come from two kinds of image
SMALL = (1, 2, 3, 4, 5, 6, 7)  # bits, where no image of a kind has a value above 127
OVERSHOOT = 0.1  # how far resizing may carry fractions beyond 0 and 1
SMALLEST_SHARE = 0.05  # of the images that a kind must hold: a single black frame is not a kind


class Depth(NamedTuple):
    """The values of an image with more than 8 bits per value.

    Attributes:
        kind: file format and data type, such as "PNG uint16"; only images of one kind share a range.
        most: the largest value.
    """

    kind: str
    most: float


def top_of(depth: Depth) -> float:
    """The value that becomes white, judged by this image alone.

    It is the end of the smallest usual range that holds the values: 255, 1,023, 4,095, 16,383, 65,535 and so
    on; 1 for floating-point numbers up to 1, apart from overshoot by resizing.
    """
    if "float" in depth.kind and depth.most <= 1 + OVERSHOOT:
        return 1.0
    return float(2 ** next(bits for bits in BITS if 2**bits > depth.most or bits == BITS[-1]) - 1)


def common_tops(depths: Mapping[int, Depth]) -> dict[int, float]:
    """The value that becomes white for each image, the same for all images of one kind.

    Two kinds in one format, such as a 12-bit and a 16-bit camera, are separated by a gap between their
    maxima. The darker images are a kind of their own only if they reach the upper half of their own range
    and make up a twentieth of the images. Where no image of a kind has a value above 127, its range has
    fewer than 8 bits.

    Args:
        depths: by row.
    """
    found: dict[int, float] = {}
    for kind in {depth.kind for depth in depths.values()}:
        rows = sorted((row for row in depths if depths[row].kind == kind), key=lambda r: depths[r].most)
        for group in groups_by_gap(rows, depths):
            top = small_top(depths[rows[-1]], len(rows)) or top_of(depths[group[-1]])
            found |= dict.fromkeys(group, top)
    return found


def small_top(brightest: Depth, n: int) -> float | None:
    """The end of the smallest range below 8 bits that holds the values of n images; None if none does."""
    if n < 2 or "float" in brightest.kind or not 0 < brightest.most < 2 ** SMALL[-1]:
        return None
    return float(2 ** next(bits for bits in SMALL if 2**bits > brightest.most) - 1)


def groups_by_gap(rows: list[int], depths: Mapping[int, Depth]) -> list[list[int]]:
    """Rows in the order of their maxima, divided where the next maximum is far larger."""
    groups: list[list[int]] = [[]]
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        groups[-1].append(row)
        if after is not None and is_kind(groups[-1], depths, after, len(rows)):
            groups.append([])
    return groups


def is_kind(group: list[int], depths: Mapping[int, Depth], after: int, n: int) -> bool:
    """Whether these rows are a kind of their own, separate from the row `after` them."""
    last = depths[group[-1]]
    apart = depths[after].most > GAP * last.most and top_of(depths[after]) > top_of(last)
    return apart and last.most > top_of(last) / 2 and len(group) >= SMALLEST_SHARE * n


def eight_bits(values: NDArray[np.generic], top: float) -> Pixels:
    """Values from 0 to `top` scaled to 0 to 255, uint8; larger values become 255."""
    scaled = np.rint(values.astype(np.float64) * (255 / top))
    return np.clip(scaled, 0, 255).astype(np.uint8)
