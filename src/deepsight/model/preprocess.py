"""From stored pixels to a network's input."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Pixels
from deepsight.core.errors import UsageError
from deepsight.images.resize import Method, resize
from deepsight.model.batch_integrity import verify_batch
from deepsight.model.engine.settings import active_settings

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Resize, scale and normalise.

    Attributes:
        resolution: side in pixels, a multiple of 32 (the total stride of every known backbone), 32 to 512.
        interpolation: nearest, bilinear, bicubic or lanczos.
        antialias: whether to average before reducing.
        mean, std: of each channel, on pixels scaled to [0, 1].
    """

    resolution: int
    interpolation: Method
    antialias: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.resolution % 32 or not 32 <= self.resolution <= 512:
            raise UsageError(
                f"Expected a resolution that is a multiple of 32 from 32 to 512, received {self.resolution}. "
                "Try --resolution 64."
            )

    def batch(self, pixels: Pixels, name: str) -> Tensor:
        """The verified input for these pixels; otherwise as `__call__`.

        Args:
            pixels: uint8 (b, h, w, 3).
            name: of the batch, for messages.

        Raises:
            DeepSightError: the batch is invalid: model.batch_integrity.
        """
        images = self(pixels)
        verify_batch(images, shape=(3, self.resolution, self.resolution), batch=name)
        return images

    def batches(self, pixels: Pixels, name: str) -> Iterator[Tensor]:
        """Pixels (n, h, w, 3) as verified batches, whose size the engine settings determine."""
        size = active_settings().images_per_batch(self.resolution)
        for start in range(0, len(pixels), size):
            yield self.batch(pixels[start : start + size], f"{name}, image {start}")

    def __call__(self, pixels: Pixels) -> Tensor:
        """uint8 (b, h, w, 3) to float32 (b, 3, resolution, resolution), channels last in memory."""
        images = self.resized(pixels)
        scale = torch.tensor([1 / (255 * s) for s in self.std])[:, None, None]
        shift = torch.tensor([-m / s for m, s in zip(self.mean, self.std, strict=True)])[:, None, None]
        return images.mul_(scale).add_(shift).contiguous(memory_format=torch.channels_last)

    def resized(self, pixels: Pixels) -> Tensor:
        """uint8 (b, h, w, 3) to float32 (b, 3, resolution, resolution), 0 to 255, a new array."""
        images = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float()
        if images.shape[2:] == (self.resolution, self.resolution):
            return images
        images = resize(images, self.resolution, method=self.interpolation, antialias=self.antialias)
        return images.clamp_(0, 255)

    def describe(self) -> dict[str, Any]:
        """The form in model.json."""
        return asdict(self)
