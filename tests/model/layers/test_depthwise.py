"""The fast gradients against the library's own and against finite differences."""

import pytest
import torch
import torch.nn.functional as F

from deepsight.model.layers.depthwise import (
    depthwise_conv2d,
    input_gradient_by_phases,
    weight_gradient_by_column_pairs,
    weight_gradient_by_phases,
    weight_gradient_by_taps,
)

GEOMETRIES = [
    (side, kernel, stride)
    for side in (2, 3, 4, 6, 7, 8, 9)
    for kernel in (3, 4, 5, 6, 7)
    for stride in (1, 2)
    if side + 2 * ((kernel - 1) // 2) >= kernel
]


def operands(side: int, kernel: int, *, n: int = 3, c: int = 5) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(side * 10 + kernel)
    shapes = (n, c, side, side), (c, 1, kernel, kernel), (c,)
    return [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]


def upstream_and_gradients(
    x: torch.Tensor, weight: torch.Tensor, stride: int, padding: int
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """A made gradient of the output, and the library's gradients by x and weight."""
    out = F.conv2d(x, weight, None, stride, padding, groups=weight.shape[0])
    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return upstream, torch.autograd.grad(out, (x, weight), upstream)


@pytest.mark.parametrize(("side", "kernel", "stride"), GEOMETRIES)
def test_value_and_all_gradients_equal_the_library(side, kernel, stride):
    padding = (kernel - 1) // 2
    x, weight, bias = operands(side, kernel)
    ours = depthwise_conv2d(x, weight, bias, stride, padding)
    theirs = F.conv2d(x, weight, bias, stride, padding, groups=5)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    upstream = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad(ours, (x, weight, bias), upstream),
        torch.autograd.grad(theirs, (x, weight, bias), upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("side", "kernel", "stride"), GEOMETRIES)
def test_the_sum_over_taps_holds_for_every_geometry(side, kernel, stride):
    """`depthwise_conv2d` takes this way on small maps only; the formula is right on all."""
    padding = (kernel - 1) // 2
    x, weight, _ = operands(side, kernel)
    upstream, expected = upstream_and_gradients(x, weight, stride, padding)
    ours = weight_gradient_by_taps(x.detach(), upstream, weight.detach(), stride, padding)
    torch.testing.assert_close(ours, expected[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", range(2, 10))
def test_two_kernels_of_three_columns_make_one_of_five(side):
    x, weight, _ = operands(side, 5)
    upstream, expected = upstream_and_gradients(x, weight, 1, 2)
    ours = weight_gradient_by_column_pairs(x.detach(), upstream)
    torch.testing.assert_close(ours, expected[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", range(2, 10))
@pytest.mark.parametrize(("kernel", "padding"), [(3, 0), (3, 1), (4, 1), (4, 2), (5, 1), (5, 2), (6, 2)])
def test_a_stride_of_two_is_none_on_maps_of_phases(side, kernel, padding):
    if side + 2 * padding < kernel:
        return
    x, weight, _ = operands(side, kernel)
    upstream, expected = upstream_and_gradients(x, weight, 2, padding)
    ours = (
        input_gradient_by_phases(x.detach(), upstream, weight.detach(), padding),
        weight_gradient_by_phases(x.detach(), upstream, kernel, padding),
    )
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), [(2, 3, 1), (2, 5, 1), (3, 6, 2), (8, 3, 2), (6, 5, 1), (7, 6, 2)]
)
def test_finite_differences_agree(side, kernel, stride):
    inputs = operands(side, kernel, n=1, c=2)
    assert torch.autograd.gradcheck(lambda *t: depthwise_conv2d(*t, stride, (kernel - 1) // 2), inputs)


def test_maps_that_are_not_square_are_left_to_the_library():
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    _, weight, bias = operands(4, 5, c=3)
    ours = torch.autograd.grad(depthwise_conv2d(x, weight, bias, 1, 2).square().sum(), weight)
    theirs = torch.autograd.grad(F.conv2d(x, weight, bias, 1, 2, groups=3).square().sum(), weight)
    torch.testing.assert_close(ours, theirs)


def test_a_frozen_kernel_gets_no_gradient():
    x, weight, bias = operands(2, 5)
    weight.requires_grad_(False)
    depthwise_conv2d(x, weight, bias, 1, 2).sum().backward()
    assert weight.grad is None
    assert x.grad is not None
