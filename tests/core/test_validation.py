"""Each rule with its planted fault, and clean batches, real ones included, that pass."""

import numpy as np
import pytest
import torch

from deepsight.core.errors import DeepSightError
from deepsight.core.validation import LIMIT, verify_batch, verify_pixels

SHAPE = (3, 32, 32)


def clean() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(8, *SHAPE, generator=generator), torch.arange(8)


def verify(images, labels, **changes):
    verify_batch(images, labels, **{"shape": SHAPE, "classes": 10, "batch": "train, batch 4"} | changes)


def test_real_images_pass_under_both_normalisations_in_use(cifar10):
    train, _ = cifar10
    pixels = torch.from_numpy(train.pixels(np.arange(64))).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(np.array(train.labels[:64]))
    imagenet = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for mean, deviation in (imagenet, (torch.full((3,), 0.5), torch.full((3,), 0.5))):
        verify((pixels - mean[:, None, None]) / deviation[:, None, None], labels)
    with pytest.raises(DeepSightError, match="0 to 255"):
        verify(pixels * 255, labels)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2 * LIMIT])
@pytest.mark.parametrize("place", [0, 12_345, 8 * 3 * 32 * 32 - 1])
def test_one_bad_value_anywhere_is_found(value, place):
    images, labels = clean()
    images.view(-1)[place] = value
    with pytest.raises(DeepSightError, match=r"train, batch 4.*expected finite values within ±10"):
        verify(images, labels)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_layout_and_precision_passes_and_is_checked(layout, dtype):
    images, labels = clean()
    images = images.to(dtype).contiguous(memory_format=layout)
    verify(images, labels)
    images[3, 1, 30, 31] = float("nan")
    with pytest.raises(DeepSightError, match="nan"):
        verify(images, None)


@pytest.mark.parametrize(
    "shape", [(8, 3, 32, 31), (8, 1, 32, 32), (8, 32, 32, 3), (3, 32, 32), (0, 3, 32, 32)]
)
def test_wrong_shape_names_both_shapes(shape):
    with pytest.raises(DeepSightError, match=r"expected images of shape \(b, 3, 32, 32\)") as caught:
        verify(torch.zeros(shape), None)
    assert str(tuple(shape)) in str(caught.value)


def test_stored_pixels_are_not_taken_for_normalised_ones():
    with pytest.raises(DeepSightError, match="uint8"):
        verify(torch.zeros(8, *SHAPE, dtype=torch.uint8), None)


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        (torch.arange(7), r"\(7,\)"),
        (torch.arange(8).to(torch.int32), "int32"),
        (torch.arange(8).float(), "float32"),
        (torch.arange(8) + 3, "3 to 10"),
        (torch.arange(8) - 1, "-1 to 6"),
    ],
)
def test_wrong_labels_name_what_was_received(labels, received):
    with pytest.raises(DeepSightError, match=f"train, batch 4.*expected labels.*received.*{received}"):
        verify(clean()[0], labels)


def test_declared_shape_and_limit_matter():
    images, labels = clean()
    verify(images[..., :16], labels, shape=(3, 32, 16))
    with pytest.raises(DeepSightError, match=r"±0\.5"):
        verify(images, labels, limit=0.5)


def test_gradients_are_left_alone():
    images, labels = clean()
    images.requires_grad_()
    verify(images, labels)
    assert images.grad is None
    assert images.requires_grad


def test_stored_images():
    verify_pixels(np.zeros((2, 32, 32, 3), np.uint8), shape=SHAPE, batch="test rows 0 to 1")
    for wrong in (np.zeros((2, 3, 32, 32), np.uint8), np.zeros((2, 32, 32, 3), np.float32)):
        with pytest.raises(DeepSightError, match=r"test rows 0 to 1.*uint8 images \(n, 32, 32, 3\)"):
            verify_pixels(wrong, shape=SHAPE, batch="test rows 0 to 1")
