"""Checks of shape, type and range that every batch must pass before it is used.

The minimum and maximum of the pixels are enough: they are NaN if any pixel is. docs/methods/integrity.md
states the cost relative to a forward pass.
"""

import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError

# Pixels in [0, 1] less a mean, divided by a standard deviation s, lie within ±1/s: ±2.7 for ImageNet's
# constants. Cubic enlarging overshoots by a quarter at most. 10 leaves room for s = 0.125 and is
# still exceeded by pixels that were left at 0 to 255.
LIMIT = 10.0


def verify_batch(images: Tensor, *, shape: tuple[int, int, int], batch: str, limit: float = LIMIT) -> None:
    """Refuse a batch that a model must not see. Labels are checked once, in `core.dataset`.

    Args:
        images: floating, (b, c, h, w), normalised.
        shape: the declared (c, h, w), such as (3, 32, 32).
        batch: name of the batch for the message, such as "train, epoch 2, batch 17".
        limit: largest absolute value that a normalised pixel may have.

    Raises:
        DeepSightError: the shape, dtype or value range is wrong, or there is a NaN or infinity. The message
            names the batch, what was expected and what was received.
    """
    if images.ndim != 4 or tuple(images.shape[1:]) != shape or not len(images):
        raise refusal(batch, f"images of shape (b, {str(shape)[1:-1]}), b ≥ 1", f"{tuple(images.shape)}")
    if not images.is_floating_point():
        raise refusal(batch, "normalised floating images", f"{images.dtype}")
    low, high = extremes(images)
    if not (-limit <= low and high <= limit):  # also true for NaN, for which every comparison is false
        raise refusal(batch, f"finite values within ±{limit:g} after normalisation", f"{low:g} to {high:g}")


def extremes(values: Tensor) -> tuple[float, float]:
    """Minimum and maximum, NaN if any value is; takes a single transfer from an accelerator.

    `torch.aminmax` reads the pixels only once, but first copies channels-last images (7 times slower).
    """
    values = values.detach()
    low, high = torch.stack((values.amin(), values.amax())).tolist()
    return float(low), float(high)


def refusal(batch: str, expected: str, received: str) -> DeepSightError:
    """The error for an invalid batch."""
    return DeepSightError(
        f"Batch '{batch}': expected {expected}, received {received}. "
        "Check the reading, augmentation and normalisation of the images."
    )
