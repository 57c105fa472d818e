"""Dense convolution whose weight gradient is a matrix product for each tap of the kernel.

On a CPU, PyTorch's weight gradient of a dense convolution on small maps is much slower than its forward
pass: for a ResNet18's last stage at 64 pixels it takes four times as long. As matrix products the same sums
take about as long as the forward pass: docs/decisions/0021-weight-gradients-by-matrix-products.md.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST_MAP = 256  # cells of the output; larger ones were not measured


class _DenseConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding)
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grad_outputs
        saved_x, saved_weight = ctx.saved_tensors
        x, weight = saved_x.to(grad.dtype), saved_weight.to(grad.dtype)  # autocast computed in grad's type
        stride, padding = ctx.geometry
        by_products = products_are_faster(grad)
        wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1] and not by_products, False]
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, wanted
        )
        if by_products and ctx.needs_input_grad[1]:
            grad_weight = weight_gradient_by_products(x, grad, weight.shape[2], stride, padding)
        return grad_x, grad_weight, grad.sum((0, 2, 3)), None, None  # autograd casts to the inputs' types


def dense_conv2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d(x, weight, bias, stride, padding)`, weight (c', c, r, r), with a fast gradient."""
    return cast(Tensor, _DenseConv2d.apply(x, weight, bias, stride, padding))


def products_are_faster(grad: Tensor) -> bool:
    """Whether the products were measured to be faster for an output gradient (b, c', h', w')."""
    on_processor = grad.device.type == "cpu" and grad.dtype == torch.float32
    return on_processor and grad.shape[2] * grad.shape[3] <= LARGEST_MAP


def weight_gradient_by_products(x: Tensor, grad: Tensor, side: int, stride: int, padding: int) -> Tensor:
    """The gradient (c', c, r, r) of a kernel of side r: for each tap a product over all positions.

    Args:
        x: the input (b, c, h, w).
        grad: of the output (b, c', h', w').
        side: of the kernel.
        stride: of the convolution, in both directions.
        padding: of zeros, on all four sides.
    """
    inputs, outputs = x.shape[1], grad.shape[1]
    height, width = (stride * (n - 1) + 1 for n in grad.shape[2:])
    padded = (F.pad(x, [padding] * 4) if padding else x).permute(0, 2, 3, 1)
    by_channel = grad.permute(0, 2, 3, 1).reshape(-1, outputs).t()
    taps = x.new_empty(side, side, outputs, inputs)
    for i in range(side):
        for j in range(side):
            seen = padded[:, i : i + height : stride, j : j + width : stride]
            torch.mm(by_channel, seen.reshape(-1, inputs), out=taps[i, j])
    return taps.permute(2, 3, 0, 1)
