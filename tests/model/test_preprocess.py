"""The network's input against Pillow's resizing and the textbook normalisation."""

import numpy as np
import pytest
import torch
from PIL import Image

from deepsight.core.errors import UsageError
from deepsight.model.preprocess import Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def normalised(pixels: np.ndarray) -> np.ndarray:
    return ((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("method", list(PILLOW))
@pytest.mark.parametrize("side", [64, 96])
def test_enlarging_equals_pillow_to_its_rounding(cifar10, method, side):
    pixels = cifar10[0].pixels(np.arange(6))
    ours = Preprocessing(side, method, True, MEAN, STD)(pixels).numpy()
    pillow = np.stack([np.asarray(Image.fromarray(p).resize((side, side), PILLOW[method])) for p in pixels])
    # Pillow rounds and cuts to whole levels after each direction, ours only at the end.
    levels = np.abs(ours - normalised(pillow)) * 255 * np.array(STD)[:, None, None]
    assert levels.max() < 3
    assert levels.mean() < 0.5


def test_the_native_side_is_normalised_and_nothing_else(cifar10):
    pixels = cifar10[0].pixels(np.arange(6))
    before = pixels.copy()
    ours = Preprocessing(32, "bicubic", True, MEAN, STD)(pixels)
    np.testing.assert_allclose(ours.numpy(), normalised(pixels), atol=1e-5)
    np.testing.assert_array_equal(pixels, before)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    assert ours.dtype == torch.float32


def test_overshoot_of_the_cubic_kernel_is_cut_to_the_range_of_pixels():
    pixels = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    pixels[:, :, 16:] = 255
    ours = Preprocessing(64, "bicubic", True, (0, 0, 0), (1, 1, 1))(pixels)
    assert 0 <= ours.min() <= ours.max() <= 1 + 1e-6


def test_antialiasing_counts_when_reducing():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    wide, narrow = (Preprocessing(32, "bicubic", a, MEAN, STD)(pixels) for a in (True, False))
    assert wide.std() < 0.8 * narrow.std()


@pytest.mark.parametrize("side", [7, 0, 48, 544, -32])
def test_a_resolution_that_no_backbone_divides_is_refused(side):
    with pytest.raises(UsageError, match=rf"multiple of 32 from 32 to 512, received {side}"):
        Preprocessing(side, "bicubic", True, MEAN, STD)


def test_the_description_makes_the_same_again():
    made = Preprocessing(64, "bicubic", True, MEAN, STD)
    assert Preprocessing(**made.describe()) == made
