"""The range of images with more than 8 bits per value, found from the images themselves.

Scanners and microscopes write 12 bits into 16-bit files, and small numbers into 32-bit integers; no header
says so. The largest value does: it needs 10, 12, 14 or 16 bits. Images of one data set share a range, so that
a dark image among bright ones stays dark.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels

BITS = (8, 10, 12, 14, *range(16, 33))
GAP = 4.0  # largest values this many times apart, with none between, come from two kinds of image
SMALL = (1, 2, 3, 4, 5, 6, 7)  # bits: of a kind of which no image of several reaches beyond 127
OVERSHOOT = 0.1  # how far resizing may carry fractions beyond 0 and 1
SMALLEST_SHARE = 0.05  # images that a kind must hold: a black frame is no kind of its own


class Depth(NamedTuple):
    """What an image with more than 8 bits holds.

    Attributes:
        kind: format and type of number, such as "PNG uint16": only images of one kind share a range.
        most: the largest value.
    """

    kind: str
    most: float


def top_of(depth: Depth) -> float:
    """The value that becomes white, from this image alone.

    That is the end of the smallest usual range that holds its values: 255, 1,023, 4,095, 16,383, 65,535, or
    beyond; 1 for floating-point numbers up to 1, but for what resizing adds.
    """
    if "float" in depth.kind and depth.most <= 1 + OVERSHOOT:
        return 1.0
    return float(2 ** next(bits for bits in BITS if 2**bits > depth.most or bits == BITS[-1]) - 1)


def common_tops(depths: Mapping[int, Depth]) -> dict[int, float]:
    """The value that becomes white for each image, the same for all images of one kind.

    Two kinds in one format, such as a 12-bit and a 16-bit camera, are told apart by a gap: none of their
    largest values lies between. What is darker is a kind only if it reaches the upper half of its own range
    and makes up a twentieth of the images. Where no image of a kind reaches beyond 127, its range is that of
    fewer than 8 bits.
    """
    found: dict[int, float] = {}
    for kind in {depth.kind for depth in depths.values()}:
        rows = sorted((row for row in depths if depths[row].kind == kind), key=lambda r: depths[r].most)
        for group in groups_by_gap(rows, depths):
            top = small_top(depths[rows[-1]], len(rows)) or top_of(depths[group[-1]])
            found |= dict.fromkeys(group, top)
    return found


def small_top(brightest: Depth, n: int) -> float | None:
    """The end of the smallest range below 8 bits that holds the values of n images; None if there is none."""
    if n < 2 or "float" in brightest.kind or not 0 < brightest.most < 2 ** SMALL[-1]:
        return None
    return float(2 ** next(bits for bits in SMALL if 2**bits > brightest.most) - 1)


def groups_by_gap(rows: list[int], depths: Mapping[int, Depth]) -> list[list[int]]:
    """Rows, ordered by their largest value, cut where the next value is far larger."""
    groups: list[list[int]] = [[]]
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        groups[-1].append(row)
        if after is not None and is_kind(groups[-1], depths, after, len(rows)):
            groups.append([])
    return groups


def is_kind(group: list[int], depths: Mapping[int, Depth], after: int, n: int) -> bool:
    """Whether these rows are a kind of their own, apart from the row that comes after."""
    last = depths[group[-1]]
    apart = depths[after].most > GAP * last.most and top_of(depths[after]) > top_of(last)
    return apart and last.most > top_of(last) / 2 and len(group) >= SMALLEST_SHARE * n


def eight_bits(values: NDArray[np.generic], top: float) -> Pixels:
    """Values from 0 to `top` as 0 to 255; what lies above is 255."""
    scaled = np.rint(values.astype(np.float64) * (255 / top))
    return np.clip(scaled, 0, 255).astype(np.uint8)
