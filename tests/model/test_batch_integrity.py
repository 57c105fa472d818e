"""Each rule with its planted fault, and clean batches, real ones included, that pass."""

import numpy as np
import pytest
import torch

from deepsight.core.errors import DeepSightError
from deepsight.model.batch_integrity import LIMIT, verify_batch

SHAPE = (3, 32, 32)


def clean() -> torch.Tensor:
    return torch.randn(8, *SHAPE, generator=torch.Generator().manual_seed(3))


def verify(images, **changes):
    verify_batch(images, **{"shape": SHAPE, "batch": "train, batch 4"} | changes)


def test_real_images_pass_under_both_normalisations_in_use(cifar10):
    train, _ = cifar10
    pixels = torch.from_numpy(train.pixels(np.arange(64))).permute(0, 3, 1, 2).float() / 255
    imagenet = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for mean, deviation in (imagenet, (torch.full((3,), 0.5), torch.full((3,), 0.5))):
        verify((pixels - mean[:, None, None]) / deviation[:, None, None])
    with pytest.raises(DeepSightError, match="0 to 255"):
        verify(pixels * 255)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2 * LIMIT])
@pytest.mark.parametrize("place", [0, 12_345, 8 * 3 * 32 * 32 - 1])
def test_one_bad_value_anywhere_is_found(value, place):
    images = clean()
    images.view(-1)[place] = value
    with pytest.raises(DeepSightError, match=r"train, batch 4.*expected finite values within ±10"):
        verify(images)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_layout_and_precision_passes_and_is_checked(layout, dtype):
    images = clean()
    images = images.to(dtype).contiguous(memory_format=layout)
    verify(images)
    images[3, 1, 30, 31] = float("nan")
    with pytest.raises(DeepSightError, match="nan"):
        verify(images)


@pytest.mark.parametrize(
    "shape", [(8, 3, 32, 31), (8, 1, 32, 32), (8, 32, 32, 3), (3, 32, 32), (0, 3, 32, 32)]
)
def test_wrong_shape_names_both_shapes(shape):
    with pytest.raises(DeepSightError, match=r"expected images of shape \(b, 3, 32, 32\)") as caught:
        verify(torch.zeros(shape))
    assert str(tuple(shape)) in str(caught.value)


def test_stored_pixels_are_not_taken_for_normalised_ones():
    with pytest.raises(DeepSightError, match="uint8"):
        verify(torch.zeros(8, *SHAPE, dtype=torch.uint8))


def test_declared_shape_and_limit_matter():
    images = clean()
    verify(images[..., :16], shape=(3, 32, 16))
    with pytest.raises(DeepSightError, match=r"±0\.5"):
        verify(images, limit=0.5)


def test_gradients_are_left_alone():
    images = clean()
    images.requires_grad_()
    verify(images)
    assert images.grad is None
    assert images.requires_grad
