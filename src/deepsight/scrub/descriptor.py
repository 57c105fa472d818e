"""A short vector of each image by which blurred copies, shifted, brightened or mirrored, find each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from deepsight.core.resize import resize

Rows = NDArray[np.int64]
Read = Callable[[Rows], Tensor]  # rows -> float32 (b, 3, h, w), 0 to 255

SIDE = 8  # pixels; a shift by a tenth of the image is less than one of them
LENGTH = 64  # numbers kept of 192: they hold 95 % of the energy on CIFAR-10
FIT_ON = 5000  # images that the projection is fitted on
BLOCK = 4096  # images read at a time


@dataclass(frozen=True)
class Descriptor:
    """Unit vectors in two parts, so that a mirrored copy is found at no cost.

    With e the part of an image that mirroring keeps and o the part whose sign it turns, the similarity
    of x and y is e_x·e_y + o_x·o_y, and that of x and mirrored y is e_x·e_y - o_x·o_y. The better of
    the two is e_x·e_y + |o_x·o_y|.

    Attributes:
        even: float32 (n, p).
        odd: float32 (n, q).
    """

    even: Tensor
    odd: Tensor

    def __len__(self) -> int:
        return len(self.even)

    def mirrored(self, i: Rows, j: Rows) -> NDArray[np.bool_]:
        """Whether image j is more like image i when mirrored, bool (p,)."""
        return np.asarray(((self.odd[i] * self.odd[j]).sum(dim=1) < 0).numpy())


def describe(read: Read, n: int, *, seed: int) -> Descriptor:
    """The descriptor of n images, in bounded memory.

    Colour at 8×8 pixels, less its local mean (5×5) and the mean of each channel, at unit length:
    brightness, contrast and slow shading are gone. Its even and odd parts are projected on their
    largest principal axes, `LENGTH` together.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:FIT_ON])
    axes = principal_axes(*halves(read(chosen)))
    parts = [
        [half @ axis for half, axis in zip(halves(read(rows)), axes, strict=True)]
        for rows in blocks(n, BLOCK)
    ]
    return Descriptor(torch.cat([even for even, _ in parts]), torch.cat([odd for _, odd in parts]))


def blocks(n: int, size: int) -> Iterator[Rows]:
    """The rows 0 to n - 1, `size` at a time; none if n is 0."""
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))


def halves(images: Tensor) -> tuple[Tensor, Tensor]:
    """Even and odd part of each image, (b, 96) twice; together of unit length, or 0 for a plain image."""
    small = detail(resize(images, SIDE, method="bilinear"), 2)
    small = small - small.mean(dim=(2, 3), keepdim=True)
    small = small / small.flatten(1).norm(dim=1).clamp_min(1e-3)[:, None, None, None]
    left, right = small[..., : SIDE // 2], small.flip(-1)[..., : SIDE // 2]
    return (left + right).flatten(1) / 2**0.5, (left - right).flatten(1) / 2**0.5


def detail(images: Tensor, radius: int) -> Tensor:
    """Images less their mean over a square of 2 radius + 1 pixels, borders repeated."""
    border = (radius,) * 4
    return images - avg_pool2d(pad(images, border, mode="replicate"), 2 * radius + 1, 1)


def principal_axes(*parts: Tensor) -> list[Tensor]:
    """For each part its axes (d, p) of largest second moment, `LENGTH` over all parts together."""
    found = [torch.linalg.eigh(part.T @ part) for part in parts]
    moments = torch.cat([values for values, _ in found])
    smallest = moments.sort(descending=True)[0][:LENGTH][-1]
    return [axes[:, values >= smallest] for values, axes in found]
