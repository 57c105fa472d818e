"""The preprocessing of somebody else's model, as a value that can be stored in a file."""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Pixels
from deepsight.core.errors import UsageError, near_names
from deepsight.core.files.damage import damage_as
from deepsight.core.files.safe_yaml import read_yaml
from deepsight.images.brightness import WEIGHTS
from deepsight.images.resize import KERNELS, Method, resize_weights

Fit = Literal["stretch", "crop", "pad"]
Scale = Literal["0..1", "0..255", "-1..1"]
Channels = Literal["rgb", "bgr", "grey"]
Layout = Literal["nchw", "nhwc"]
CHOICES: dict[str, tuple[str, ...]] = {
    "fit": ("stretch", "crop", "pad"), "scale": ("0..1", "0..255", "-1..1"),
    "channels": ("rgb", "bgr", "grey"), "layout": ("nchw", "nhwc"), "interpolation": tuple(KERNELS),
}  # fmt: skip
LARGEST = 1024  # pixels a side


@dataclass(frozen=True)
class InputFormat:
    """How images are prepared: resizing, scaling, normalisation, order of channels and axes.

    Attributes:
        height, width: of the input, in pixels, 1 to 1024.
        fit: "stretch" changes the aspect ratio, "crop" takes the centre, "pad" adds black borders.
        crop_share: share of the shorter side that the centre crop keeps, above 0 and at most 1.
        interpolation, antialias: of the resizing.
        scale: range to which pixels are scaled.
        mean, std: subtracted and divided by after scaling, one for each channel in the order of `channels`.
        channels: "rgb", "bgr", or "grey" for a single channel.
        layout: order of the axes, "nchw" or "nhwc".

    Raises:
        UsageError: a value is unknown or outside its range.
    """

    height: int
    width: int
    fit: Fit = "stretch"
    crop_share: float = 1.0
    interpolation: Method = "bilinear"
    antialias: bool = True
    scale: Scale = "0..1"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: Channels = "rgb"
    layout: Layout = "nchw"

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise UsageError(
                    f"Unknown {name} '{value}' of the preprocessing: {near_names(str(value), list(known))}"
                )
        sides = (self.height, self.width)
        whole = all(isinstance(side, int) and 1 <= side <= LARGEST for side in sides)
        if not (
            whole
            and are_finite_numbers(sides)
            and are_finite_numbers((self.crop_share,))
            and 0 < self.crop_share <= 1
        ):
            raise UsageError(
                f"Expected a height and width of 1 to {LARGEST} pixels and a crop_share above 0 and at most "
                f"1, received {self.height}, {self.width}, {self.crop_share}."
            )
        count = 1 if self.channels == "grey" else 3
        fitting = all(
            are_finite_numbers(values) and len(values) in (1, count) for values in (self.mean, self.std)
        )
        if not fitting or min(self.std) <= 0:
            raise UsageError(
                f"Expected {count} means and {count} positive deviations, received {self.mean}, {self.std}."
            )

    def __call__(self, pixels: Pixels) -> Tensor:
        """uint8 RGB images (b, h, w, 3) to the model's input, float32."""
        images = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float()
        images = self.resized(images).clamp_(0, 255)
        images = ordered(images, self.channels)
        if self.scale != "0..255":
            images = images / 255 if self.scale == "0..1" else images / 127.5 - 1
        mean, std = (
            torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (self.mean, self.std)
        )
        images = (images - mean) / std
        return images.permute(0, 2, 3, 1).contiguous() if self.layout == "nhwc" else images.contiguous()

    def resized(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) at the size of the input (b, 3, height, width)."""
        h, w = images.shape[2:]
        if self.fit == "stretch":
            return self.at_size(images, self.height, self.width)
        wanted = self.height / h, self.width / w
        factor = max(wanted) / self.crop_share if self.fit == "crop" else min(wanted)
        images = self.at_size(images, max(1, round(factor * h)), max(1, round(factor * w)))
        return centred(images, self.height, self.width)

    def at_size(self, images: Tensor, height: int, width: int) -> Tensor:
        """Images resized without regard to their aspect ratio."""
        if images.shape[2:] == (height, width):
            return images
        rows, columns = (
            torch.tensor(resize_weights(n, m, self.interpolation, self.antialias), dtype=images.dtype)
            for n, m in zip(images.shape[2:], (height, width), strict=True)
        )
        return rows @ (images @ columns.T)

    def describe(self) -> dict[str, Any]:
        """The form in `model.json` and in a file for `--preprocess`."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


def are_finite_numbers(values: Any) -> bool:
    """Whether these are finite numbers in a tuple."""
    return isinstance(values, tuple) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in values
    )


def ordered(images: Tensor, channels: Channels) -> Tensor:
    """RGB images (b, 3, h, w) with their channels in this order; grey is luma by ITU-R BT.601."""
    if channels == "grey":
        return (images * torch.from_numpy(WEIGHTS)[:, None, None]).sum(dim=1, keepdim=True)
    return images.flip(1) if channels == "bgr" else images


def centred(images: Tensor, height: int, width: int) -> Tensor:
    """The centre of images (b, c, h, w) at this size, with black where they are smaller."""
    h, w = images.shape[2:]
    top, left = (height - h) // 2, (width - w) // 2
    return torch.nn.functional.pad(images, (left, width - w - left, top, height - h - top))


def read_input_format(file: Path) -> InputFormat:
    """The format in a YAML file, whose keys are the attributes of `InputFormat`.

    Raises:
        UsageError: the file cannot be read, or a key or value is unknown.
    """
    with damage_as(
        lambda why: UsageError(f"Expected keys and values as YAML in {file}, but it cannot be read: {why}.")
    ):
        content = read_yaml(Path(file))
    return input_format_of(content)


def input_format_of(content: dict[str, Any]) -> InputFormat:
    """The format with these attributes.

    Raises:
        UsageError: a key is unknown or missing, or a value is invalid.
    """
    known = [field.name for field in fields(InputFormat)]
    for key in content:
        if key not in known:
            raise UsageError(f"Unknown key '{key}' of the preprocessing: {near_names(str(key), known)}")
    lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
    try:
        return InputFormat(**{**content, **lists})
    except TypeError as error:
        raise UsageError(f"Expected at least a height and a width for the preprocessing: {error}.") from error
