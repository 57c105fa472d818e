"""Resizing of image batches as two small matrix products, one per direction.

All four methods share the definition of Pillow and of `jax.image.resize`: each output pixel is a weighted
mean of input pixels, with weights that come from the method's kernel and sum to 1. PyTorch's `interpolate`
mixes two definitions (its cubic kernel has a = -0.75 without antialiasing and a = -0.5 with it), so that a
comparison of antialiasing would compare kernels. It also takes three times as long at 32 -> 64 pixels.
Figures: docs/methods/interpolation.md.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Floats
from deepsight.core.errors import DeepSightError, UsageError, near_names

Method = Literal["nearest", "bilinear", "bicubic", "lanczos"]


def box_kernel(x: Floats) -> Floats:
    """1 on (-0.5, 0.5]: the nearest pixel; widened by antialiasing, the mean over an area."""
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def triangle_kernel(x: Floats) -> Floats:
    """1 - |x| on [-1, 1]: linear interpolation."""
    return np.asarray(np.maximum(1 - np.abs(x), 0.0))


def cubic_kernel(x: Floats) -> Floats:
    """The cubic convolution kernel of Keys (1981) with a = -0.5, of third order, on [-2, 2]."""
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, inner, np.where(x < 2, outer, 0.0))


def lanczos_kernel(x: Floats) -> Floats:
    """sinc(x) sinc(x / 3) on [-3, 3]: the windowed ideal low-pass (Duchon 1979)."""
    inside = (np.abs(x) < 3) & ((x % 1 != 0) | (x == 0))  # sinc is exactly 0 at other whole numbers
    return np.where(inside, np.sinc(x) * np.sinc(x / 3), 0.0)


KERNELS: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {"nearest": box_kernel, "bilinear": triangle_kernel, "bicubic": cubic_kernel, "lanczos": lanczos_kernel}
)


@lru_cache(maxsize=64)
def resize_weights(source: int, target: int, method: Method, antialias: bool) -> Floats:
    """The matrix (target, source) that resizes one direction; each row sums to 1.

    Antialiasing widens the kernel by the factor of reduction. Enlarging does not widen it, so both settings
    give the same matrix bit for bit. Positions are ratios of whole numbers, so a pixel on the edge of the
    box falls on the same side of it on every machine.
    """
    inputs, outputs = 2 * np.arange(source) + 1, 2 * np.arange(target) + 1
    unit = max(source, target) if antialias else target
    matrix = KERNELS[method]((inputs[None] * target - outputs[:, None] * source) / (2 * unit))
    matrix = np.asarray(matrix / matrix.sum(axis=1, keepdims=True))
    matrix.flags.writeable = False  # the cache returns the same array to every caller
    return matrix


def resize(images: Tensor, side: int, *, method: Method = "bicubic", antialias: bool = True) -> Tensor:
    """Images at side × side pixels, in the dtype and on the device of the input.

    Args:
        images: floating, (b, c, h, w), of any range. Gradients flow through.
        side: height and width of the result in pixels, at least 1.
        method: the kernel. Cubic and Lanczos kernels have negative lobes, so near edges they may exceed the
            range of the input by a few per cent; the result is not clipped.
        antialias: widen the kernel when reducing, so that detail finer than the new grid is averaged out
            instead of aliased. It has no effect when enlarging.

    Returns:
        (b, c, side, side).

    Raises:
        DeepSightError: the images are not a floating (b, c, h, w) batch, or the side is below 1.
        UsageError: unknown method.
    """
    if images.ndim != 4 or not images.is_floating_point():
        raise DeepSightError(
            f"Expected floating images (b, c, h, w), received {images.dtype} of shape {tuple(images.shape)}."
        )
    if side < 1:
        raise DeepSightError(f"Expected a side of at least 1 pixel, received {side}.")
    if method not in KERNELS:
        raise UsageError(f"Unknown interpolation '{method}': {near_names(method, list(KERNELS))}")
    height, width = images.shape[2:]
    rows, columns = (
        torch.tensor(resize_weights(n, side, method, antialias), dtype=images.dtype, device=images.device)
        for n in (height, width)
    )
    return rows @ (images @ columns.T)
