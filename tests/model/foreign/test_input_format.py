"""The input of a stranger's model: against torchvision and timm, and through a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from timm.data import create_transform

from deepsight.core.errors import UsageError
from deepsight.model.foreign.input_format import InputFormat, read_input_format
from deepsight.model.preprocess import IMAGENET_MEAN, IMAGENET_STD


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A smooth picture of 60 × 60 pixels."""
    y, x = np.mgrid[:60, :60]
    return np.stack([4 * x, 4 * y, 2 * (x + y)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_it_is_what_timm_makes(image: np.ndarray, interpolation: str) -> None:
    theirs = create_transform(
        (3, 32, 32),
        is_training=False,
        interpolation=interpolation,
        crop_pct=0.8,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )(Image.fromarray(image))
    ours = InputFormat(
        32,
        32,
        fit="crop",
        crop_share=0.8,
        interpolation=interpolation,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,  # type: ignore[arg-type]
    )(image[None])[0]
    torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0)  # Pillow rounds to whole numbers on the way


def test_channels_scales_and_layouts(image: np.ndarray) -> None:
    plain = InputFormat(60, 60)(image[None])
    assert torch.equal(InputFormat(60, 60, channels="bgr")(image[None]), plain.flip(1))
    torch.testing.assert_close(InputFormat(60, 60, scale="-1..1")(image[None]), 2 * plain - 1)
    assert torch.equal(InputFormat(60, 60, layout="nhwc")(image[None]), plain.permute(0, 2, 3, 1))
    grey = InputFormat(60, 60, channels="grey", mean=(0.0,), std=(1.0,))(image[None])
    torch.testing.assert_close(
        grey[0, 0], (plain[0] * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    )


def test_padding_and_cropping_keep_the_aspect_ratio() -> None:
    wide = np.full((1, 20, 40, 3), 200, np.uint8)
    padded = InputFormat(40, 40, fit="pad", scale="0..255")(wide)[0, 0]
    assert (padded[10:30] == 200).all()
    assert (padded[:10] == 0).all()
    assert (InputFormat(40, 40, fit="crop", scale="0..255")(wide) == 200).all()


def test_a_file_gives_the_same_format(tmp_path: Path) -> None:
    made = InputFormat(
        96, 128, fit="crop", crop_share=0.9, scale="0..255", mean=(1.0, 2.0, 3.0), channels="bgr"
    )
    file = tmp_path / "input.yaml"
    file.write_text(yaml.safe_dump(made.describe()))
    assert read_input_format(file) == made


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"height": 32}, "width"), ({"height": 32, "width": 32, "chanels": "rgb"}, "channels"),
        ({"height": 32, "width": 32, "scale": "0..2"}, "scale"), ({"height": 0, "width": 32}, "height"),
        ({"height": 32, "width": 32, "std": [0.0, 1.0, 1.0]}, "deviations"), ([1, 2], "keys"),
        ({"height": 224.5, "width": 32}, "224.5"), ({"height": True, "width": 32}, "height"),
        ({"height": 32, "width": 32, "mean": [float("nan")] * 3}, "3 means"),
        ({"height": 32, "width": 32, "mean": 0.5}, "3 means"),
        ({"height": 32, "width": 32, "std": ["a", "b", "c"]}, "deviations"),
        ({"height": 32, "width": 32, "crop_share": "most"}, "crop_share"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path: Path, content: object, said: str) -> None:
    file = tmp_path / "input.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match=said):
        read_input_format(file)
