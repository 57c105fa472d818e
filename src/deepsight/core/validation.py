"""Dimensional integrity: what every batch must be before it is used.

The minimum and the maximum of the pixels say all: they are NaN if any pixel is. The cost beside a
forward pass stands in docs/methods/integrity.md.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.errors import DeepSightError

# Pixels in [0, 1] less a mean, over a standard deviation s, lie within ±1/s: ±2.7 for ImageNet's
# constants. Cubic enlarging overshoots by a quarter at most. 10 leaves room for s = 0.125 and is
# still crossed by pixels that were left at 0 to 255.
LIMIT = 10.0


def verify_batch(
    images: Tensor,
    labels: Tensor | None,
    *,
    shape: tuple[int, int, int],
    classes: int,
    batch: str,
    limit: float = LIMIT,
) -> None:
    """Refuse a batch that a model must not see.

    Args:
        images: floating, (b, c, h, w), normalised.
        labels: int64, (b,), positions of classes; None in prediction.
        shape: the declared (c, h, w), such as (3, 32, 32).
        classes: the number of classes k.
        batch: where the batch stands, for the message, such as "train, epoch 2, batch 17".
        limit: the largest absolute value that a normalised pixel may have.

    Raises:
        DeepSightError: shape, dtype, a NaN or infinity, the value range, or the labels are wrong. It
            names the batch, what was expected and what was received.
    """
    if images.ndim != 4 or tuple(images.shape[1:]) != shape or not len(images):
        raise refusal(batch, f"images of shape (b, {str(shape)[1:-1]}), b ≥ 1", f"{tuple(images.shape)}")
    if not images.is_floating_point():
        raise refusal(batch, "normalised floating images", f"{images.dtype}")
    low, high = extremes(images)
    if not (-limit <= low and high <= limit):  # also true of NaN, which compares false to everything
        raise refusal(batch, f"finite values within ±{limit:g} after normalisation", f"{low:g} to {high:g}")
    if labels is not None:
        verify_labels(labels, n=len(images), classes=classes, batch=batch)


def verify_labels(labels: Tensor, *, n: int, classes: int, batch: str) -> None:
    """Refuse labels that are not n int64 positions of classes, as `verify_batch` does."""
    if labels.dtype != torch.int64 or tuple(labels.shape) != (n,):
        raise refusal(batch, f"labels as int64 ({n},)", f"{labels.dtype} {tuple(labels.shape)}")
    low, high = extremes(labels)
    if low < 0 or high >= classes:
        raise refusal(batch, f"labels in 0 to {classes - 1}", f"{low:g} to {high:g}")


def verify_pixels(pixels: NDArray[np.uint8], *, shape: tuple[int, int, int], batch: str) -> None:
    """Refuse stored images that are not uint8 (n, h, w, c) of the declared (c, h, w).

    Raises:
        DeepSightError: as `verify_batch`. Any uint8 is a valid pixel, so values are not read.
    """
    stored = (*shape[1:], shape[0])
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != stored:
        raise refusal(batch, f"uint8 images (n, {str(stored)[1:-1]})", f"{pixels.dtype} {pixels.shape}")


def extremes(values: Tensor) -> tuple[float, float]:
    """Minimum and maximum, NaN if any value is; on an accelerator one transfer.

    `torch.aminmax` would read the pixels once, but copies channels-last images first (7 times as slow).
    """
    values = values.detach()
    low, high = torch.stack((values.amin(), values.amax())).tolist()
    return float(low), float(high)


def refusal(batch: str, expected: str, received: str) -> DeepSightError:
    """The sentence for a batch that is wrong."""
    return DeepSightError(
        f"Batch '{batch}': expected {expected}, received {received}. "
        "Check the reading, augmentation and normalisation of the images."
    )


def verify_at(resolution: int) -> Callable[[Tensor, Tensor | None, str], None]:
    """The check of every batch against the declared shape."""

    def verify(images: Tensor, labels: Tensor | None, name: str) -> None:
        verify_batch(images, labels, shape=(3, resolution, resolution), classes=1 << 30, batch=name)

    return verify
