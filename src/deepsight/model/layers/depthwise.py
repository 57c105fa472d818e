"""Depthwise convolution whose weight gradient is fast on small maps.

On a CPU, PyTorch's weight gradient of a depthwise convolution falls back to a reference loop
when the padding reaches across half the map: 108 ms for 128 images of 1,152 maps of 2x2 under a 5x5
kernel, where the forward pass takes 0.3 ms. There each tap's gradient is a sum of products of two shifted
views, and only a few taps reach into the map: 1.4 ms. Figures:
docs/decisions/0003-depthwise-weight-gradient.md.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor


class _DepthwiseConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding)
        return F.conv2d(x, weight, bias, stride, padding, 1, weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grad_outputs
        saved_x, saved_weight = ctx.saved_tensors
        x, weight = saved_x.to(grad.dtype), saved_weight.to(grad.dtype)  # autocast computed in grad's type
        stride, padding = ctx.geometry
        square = x.shape[2] == x.shape[3]
        by_taps = x.device.type == "cpu" and square and 2 * padding >= x.shape[2]
        wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1] and not by_taps, False]
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], weight.shape[0], wanted
        )
        if by_taps and ctx.needs_input_grad[1]:
            grad_weight = weight_gradient_by_taps(x, grad, weight, stride, padding)
        return grad_x, grad_weight, grad.sum((0, 2, 3)), None, None  # autograd casts to the inputs' types


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d(x, weight, bias, stride, padding, groups=c)`, weight (c, 1, r, r), with a fast gradient."""
    return cast(Tensor, _DepthwiseConv2d.apply(x, weight, bias, stride, padding))


def weight_gradient_by_taps(x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient (c, 1, r, r) of a depthwise kernel, tap by tap.

    `dL/dw[c, i, j] = Σ_{n, p, q} grad[n, c, p, q] · x[n, c, p·stride + i - padding, q·stride + j - padding]`,
    over the positions that lie inside the map, which is square.
    """
    channels, side, out = weight.shape[0], x.shape[2], grad.shape[2]
    x_last, grad_last = x.permute(0, 2, 3, 1), grad.permute(0, 2, 3, 1)
    result = torch.zeros_like(weight)
    spans = [(i, *_span(i, side, out, stride, padding)) for i in range(weight.shape[2])]
    for i, rows_out, rows_in in spans:
        for j, columns_out, columns_in in spans:
            product = x_last[:, rows_in, columns_in] * grad_last[:, rows_out, columns_out]
            result[:, 0, i, j] = product.reshape(-1, channels).sum(0)
    return result


def _span(tap: int, side: int, out: int, stride: int, padding: int) -> tuple[slice, slice]:
    """The output positions that this tap reaches inside the map, and the input positions that it reads."""
    first = max(0, -((tap - padding) // stride))
    last = max(first, min(out, (side - 1 + padding - tap) // stride + 1))
    start = first * stride + tap - padding
    return slice(first, last), slice(
        start, start + (last - first - 1) * stride + 1 if last > first else start, stride
    )
