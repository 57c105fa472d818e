"""The weight gradient by products is the library's, for the kernels, strides and paddings that are in use."""

import pytest
import torch
import torch.nn.functional as F

from deepsight.model.layers import dense_conv
from deepsight.model.layers.dense_conv import dense_conv2d, weight_gradient_by_products

GEOMETRIES = [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (4, 2, 1), (5, 2, 2), (7, 2, 3)]


def tensors(side: int, kernel: int, *, dtype=torch.float64):
    generator = torch.Generator().manual_seed(kernel)
    x = torch.randn(3, 4, side, side, generator=generator, dtype=dtype)
    weight = torch.randn(5, 4, kernel, kernel, generator=generator, dtype=dtype)
    bias = torch.randn(5, generator=generator, dtype=dtype)
    layout = torch.channels_last
    return x.contiguous(memory_format=layout).requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
@pytest.mark.parametrize("side", [4, 7, 8])
def test_products_give_the_library_s_gradient(side, kernel, stride, padding):
    x, weight, bias = tensors(side, kernel)
    out = F.conv2d(x, weight, bias, stride, padding)
    grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    (expected,) = torch.autograd.grad(out, weight, grad)
    found = weight_gradient_by_products(x.detach(), grad, kernel, stride, padding)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (3, 2, 1)])
@pytest.mark.parametrize("largest", [0, 256])
def test_all_three_gradients_are_right_on_both_ways(monkeypatch, kernel, stride, padding, largest):
    monkeypatch.setattr(dense_conv, "LARGEST_MAP", largest)
    given = tensors(6, kernel, dtype=torch.float32)
    grads = []
    for conv in (dense_conv2d, F.conv2d):
        out = conv(*given, stride, padding)
        grads.append(torch.autograd.grad(out.square().sum(), given))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_library_is_used_where_products_were_not_measured():
    assert dense_conv.products_are_faster(torch.zeros(1, 2, 16, 16))
    assert not dense_conv.products_are_faster(torch.zeros(1, 2, 32, 32))
    assert not dense_conv.products_are_faster(torch.zeros(1, 2, 4, 4, dtype=torch.bfloat16))
    assert not dense_conv.products_are_faster(torch.zeros(1, 2, 4, 4, device="meta"))


def test_under_autocast_the_gradients_have_the_types_of_their_inputs():
    x, weight, bias = tensors(4, 3, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        out = dense_conv2d(x, weight, bias, 1, 1)
    for grad in torch.autograd.grad(out.float().sum(), (x, weight, bias)):
        assert grad.dtype == torch.float32
