"""Every method against Pillow, PyTorch or its formula; range, constants, gradients, wrong input."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn.functional import interpolate

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.images.resize import KERNELS, resize, resize_weights

METHODS = list(KERNELS)
PILLOW = {
    "nearest": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = [(32, 64), (32, 96), (32, 28), (48, 17), (17, 17)]


def plane(height: int, width: int) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(7).random((1, 1, height, width)) * 255, dtype=torch.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_antialiased_equals_pillow(method, source, target):
    images = plane(source, source + 4)
    expected = Image.fromarray(images[0, 0].numpy()).resize((target, target), PILLOW[method])
    received = resize(images, target, method=method)[0, 0].numpy()
    np.testing.assert_allclose(received, np.asarray(expected), atol=2e-3)


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_without_antialiasing_nearest_and_bilinear_equal_torch(source, target):
    images = plane(source, source)
    for method, name in (("nearest", "nearest-exact"), ("bilinear", "bilinear")):
        received = resize(images, target, method=method, antialias=False)
        expected = interpolate(images, (target, target), mode=name)
        torch.testing.assert_close(received, expected, atol=2e-3, rtol=0)


def test_cubic_without_antialiasing_is_keys_formula_at_one_pixel():
    row = np.arange(12.0) ** 2
    # Output pixel 1 of 12 -> 5 has its centre at 1.5 * 12 / 5 - 0.5 = 3.1, so t = 0.1 after pixel 3.
    t, (p0, p1, p2, p3) = 0.1, row[2:6]
    by_hand = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    assert resize_weights(12, 5, "bicubic", False)[1] @ row == pytest.approx(by_hand)


@pytest.mark.parametrize("method", METHODS)
def test_antialiasing_changes_nothing_when_enlarging_and_something_when_reducing(method):
    assert np.array_equal(resize_weights(32, 64, method, True), resize_weights(32, 64, method, False))
    assert not np.allclose(resize_weights(32, 16, method, True), resize_weights(32, 16, method, False))


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(METHODS), st.booleans())
def test_each_row_sums_to_one_and_the_same_size_is_the_identity(source, target, method, antialias):
    matrix = resize_weights(source, target, method, antialias)
    assert np.isfinite(matrix).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    np.testing.assert_array_equal(resize_weights(source, source, method, antialias), np.eye(source))


def test_mirror_and_resize_commute():
    images = plane(32, 32)
    torch.testing.assert_close(resize(images.flip(3), 50), resize(images, 50).flip(3))


def test_gradient_flows_after_a_call_without_gradients():
    with torch.inference_mode():
        resize(torch.zeros(1, 3, 32, 32), 40)
    images = torch.zeros(1, 3, 32, 32, requires_grad=True)
    resize(images, 40).sum().backward()
    assert images.grad is not None
    assert images.grad.sum() == pytest.approx(3 * 40 * 40, rel=1e-4)


def test_dtype_is_kept_and_input_is_not_mutated():
    images = plane(8, 8).double()
    before = images.clone()
    assert resize(images, 5).dtype == torch.float64
    assert torch.equal(images, before)


def test_wrong_input_is_refused_with_what_was_received():
    with pytest.raises(DeepSightError, match="uint8"):
        resize(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 4)
    with pytest.raises(DeepSightError, match=r"\(3, 8, 8\)"):
        resize(torch.zeros(3, 8, 8), 4)
    with pytest.raises(DeepSightError, match="received 0"):
        resize(torch.zeros(1, 3, 8, 8), 0)
    with pytest.raises(UsageError, match="bicubic"):
        resize(torch.zeros(1, 3, 8, 8), 4, method="bicubc")
