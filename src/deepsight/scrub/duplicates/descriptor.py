"""A short vector that is similar for copies of an image, even if shifted, cropped, recoloured or mirrored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from deepsight.core.array_types import Ints
from deepsight.images.resize import resize

Read = Callable[[Ints], Tensor]  # rows -> float32 (b, 3, h, w), 0 to 255
Halves = tuple[Tensor, Tensor]  # the part that mirroring keeps and the part that it negates, (b, d) each

CELLS = 3  # per side; after a shift by an eighth of the image, three quarters of a cell's content stay in it
DIRECTIONS = 8
SIDE = 8  # pixels per side of the thumbnail
FIT_ON = 5000  # images that centre and projection are fitted on
BLOCK = 128  # images read at a time: at 128 × 128 pixels each takes 3.6 MB while it is described


@dataclass(frozen=True)
class Descriptor:
    """Unit vectors in two parts, so that mirrored copies are found at no extra cost.

    With e the part of an image that mirroring keeps and o the part that it negates, the similarity of x and y
    is e_x·e_y + o_x·o_y, and that of x and mirrored y is e_x·e_y - o_x·o_y. The larger of the two is
    e_x·e_y + |o_x·o_y|.

    Attributes:
        even: float32 (n, p).
        odd: float32 (n, q).
    """

    even: Tensor
    odd: Tensor

    def __len__(self) -> int:
        return len(self.even)

    def mirrored(self, i: Ints, j: Ints) -> NDArray[np.bool_]:
        """Whether image j is more like image i when mirrored, bool (p,)."""
        return np.asarray(((self.odd[i] * self.odd[j]).sum(dim=1) < 0).numpy())


def describe_images(
    read: Read, n: int, *, halves: Callable[[Tensor], Halves], length: int, seed: int
) -> Descriptor:
    """The descriptor of n images, in bounded memory.

    Args:
        read: rows -> images.
        n: the number of images.
        halves: images -> their even and odd part; `gradient_halves` or `thumbnail_halves`.
        length: dimensions kept, on the largest principal axes of both parts.
        seed: of the sample that centre and axes are fitted on.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:FIT_ON])
    sampled = [halves(read(chosen[rows])) for rows in row_blocks(len(chosen), BLOCK)]
    even, odd = (torch.cat(part) for part in zip(*sampled, strict=True))
    centre = even.mean(dim=0)
    axes = shared_axes(even - centre, odd, length=length)
    found = Descriptor(*(torch.empty(n, part.shape[1]) for part in axes))
    for rows in row_blocks(n, BLOCK):
        found.even[rows], found.odd[rows] = project(halves(read(rows)), centre, axes)
    return found


def project(parts: Halves, centre: Tensor, axes: list[Tensor]) -> Halves:
    """Even and odd part on their axes, together of unit length; 0 for a uniform image."""
    even, odd = (parts[0] - centre) @ axes[0], parts[1] @ axes[1]
    size = torch.hypot(even.norm(dim=1), odd.norm(dim=1)).clamp_min(1e-3)[:, None]
    return even / size, odd / size


def row_blocks(n: int, size: int) -> Iterator[Ints]:
    """The rows 0 to n - 1, `size` at a time; none if n is 0."""
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))


def gradient_histograms(images: Tensor) -> Tensor:
    """Square roots of the shares of gradient by direction and cell, (b, 8, 3, 3), of images (b, 3, h, w).

    Histograms of oriented gradients (Dalal & Triggs 2005) with the square root of Arandjelović & Zisserman
    (2012). Each gradient is divided between its two nearest directions, and between cells as in bilinear
    interpolation. The result does not depend on gain, offset and colour.
    """
    grey = pad(images.mean(dim=1, keepdim=True), (2,) * 4, mode="replicate")
    smooth = avg_pool2d(grey, 3, 1)[:, 0]
    across = smooth[:, 1:-1, 2:] - smooth[:, 1:-1, :-2]
    down = smooth[:, 2:, 1:-1] - smooth[:, :-2, 1:-1]
    steepness = torch.hypot(across, down)
    turn = torch.atan2(down, across) * (DIRECTIONS / (2 * torch.pi))
    first = turn.floor()
    by_direction = torch.zeros(len(images), DIRECTIONS, *across.shape[1:])
    for direction, part in ((first, 1 - (turn - first)), (first + 1, turn - first)):
        place = direction.long().remainder(DIRECTIONS)[:, None]
        by_direction.scatter_add_(1, place, (steepness * part)[:, None])
    cells = resize(by_direction, CELLS, method="bilinear")
    return (cells / cells.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1e-3)).sqrt()


def gradient_halves(images: Tensor) -> Halves:
    """Halves of the gradient histograms, which hardly change when an image shifts by a few pixels.

    A mirrored gradient of angle t has the angle π - t, and its cell is on the other side.
    """
    cells = gradient_histograms(images)
    opposite = (DIRECTIONS // 2 - torch.arange(DIRECTIONS)) % DIRECTIONS
    return split_mirrored(cells, cells[:, opposite].flip(-1))


def thumbnail_halves(images: Tensor) -> Halves:
    """Halves of the colours at 8×8 pixels, less their local mean (5×5) and the mean of each channel.

    Finer than `gradient_halves` and robust to a frame around the image, but not to large shifts.
    """
    small = detail(resize(images, SIDE, method="bilinear"), 2)
    small = small - small.mean(dim=(2, 3), keepdim=True)
    small = small / small.flatten(1).norm(dim=1).clamp_min(1e-3)[:, None, None, None]
    return split_mirrored(small, small.flip(-1))


def split_mirrored(described: Tensor, mirrored: Tensor) -> Halves:
    """Even and odd part, from the descriptions of the images and of their mirror images."""
    return (described + mirrored).flatten(1) / 2, (described - mirrored).flatten(1) / 2


def detail(images: Tensor, radius: int) -> Tensor:
    """Images less their mean over a square of side 2 radius + 1 pixels, with replicated borders."""
    border = (radius,) * 4
    return images - avg_pool2d(pad(images, border, mode="replicate"), 2 * radius + 1, 1)


def shared_axes(*parts: Tensor, length: int) -> list[Tensor]:
    """The axes (d, p) of largest second moment of each part (n, d), `length` of them in all parts."""
    found = [torch.linalg.eigh(part.T @ part) for part in parts]
    moments = torch.cat([values for values, _ in found])
    smallest = moments.sort(descending=True)[0][:length][-1]
    return [axes[:, values >= smallest] for values, axes in found]
