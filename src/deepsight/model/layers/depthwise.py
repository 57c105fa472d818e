"""Depthwise convolution whose gradients are fast on a CPU.

PyTorch's CPU library has a fast weight gradient of depthwise kernels only up to three columns wide, and only
where the padding does not reach across half the map; elsewhere it takes 5 to 100 times as long as the
forward pass. Its gradient by the input is slow for wide kernels, and in bfloat16 with a stride. Here, wide
kernels are put together from kernels of three columns, small maps are summed tap by tap, and the gradient by
the input is a convolution with the kernel turned around: docs/decisions/0003-depthwise-weight-gradient.md.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

FAST_COLUMNS = 3  # of a kernel, up to which the library's weight gradient is fast


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
        by_input = input_gradient(x, grad, weight, *ctx.geometry) if ctx.needs_input_grad[0] else None
        by_weight = weight_gradient(x, grad, weight, *ctx.geometry) if ctx.needs_input_grad[1] else None
        return by_input, by_weight, grad.sum((0, 2, 3)), None, None  # autograd casts to the inputs' types


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d(x, weight, bias, stride, padding, groups=c)`, weight (c, 1, r, r), with fast gradients."""
    return cast(Tensor, _DepthwiseConv2d.apply(x, weight, bias, stride, padding))


def input_gradient(x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient (n, c, h, w) by the input.

    Without a stride, and with maps that keep their size, it is the convolution of `grad` with the kernel
    turned around, which takes as long as the forward pass. In bfloat16, the library takes a hundred times as
    long for a stride of 2 as in float32.
    """
    if x.device.type == "cpu":
        if stride == 1 and grad.shape == x.shape:
            return F.conv2d(grad, weight.flip(2, 3), None, 1, padding, 1, weight.shape[0])
        if x.dtype == torch.bfloat16 and _has_phases(x, weight.shape[2], stride, padding):
            return input_gradient_by_phases(x, grad, weight, padding)
    return library_gradient(x, grad, weight, stride, padding, by_input=True)


def input_gradient_by_phases(x: Tensor, grad: Tensor, weight: Tensor, padding: int) -> Tensor:
    """The gradient (n, c, h, w) by the input, for stride 2 and square maps, as if there were no stride.

    The reverse of `weight_gradient_by_phases`, with the same numbering of phases and taps.
    """
    channels, r, side = x.shape[1], weight.shape[2], _side_of_phases(x, grad)
    first = 2 - padding
    taps = F.pad(weight, (first, 6 - first - r, first, 6 - first - r)).reshape(channels, 3, 2, 3, 2)
    kernels = taps.permute(2, 4, 0, 1, 3).reshape(4 * channels, 1, 3, 3)
    outputs = _phase_outputs(grad, side)
    found = F.conv2d(outputs, kernels.flip(2, 3), None, 1, 1, 1, 4 * channels)
    split = _last(found).reshape(-1, side, side, 2, 2, channels).transpose(2, 3)  # n, row, phase, column, …
    whole: Tensor = split.reshape(-1, 2 * side, 2 * side, channels).permute(0, 3, 1, 2)
    return whole[:, :, : x.shape[2], : x.shape[3]]


def library_gradient(
    x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int | tuple[int, int], *, by_input: bool
) -> Tensor:
    """PyTorch's gradient by the input or by the weight; one padding, or that of rows and of columns."""
    rows, columns = (padding, padding) if isinstance(padding, int) else padding
    found = torch.ops.aten.convolution_backward(
        grad, x, weight, None, [stride] * 2, [rows, columns], [1, 1], False, [0, 0], weight.shape[0],
        [by_input, not by_input, False],
    )  # fmt: skip
    return cast(Tensor, found[0 if by_input else 1])


def weight_gradient(x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient (c, 1, r, r) of a depthwise kernel, in the way that is fastest for its size.

    `dL/dw[c, i, j] = Σ_{n, p, q} grad[n, c, p, q] · x[n, c, p·stride + i - padding, q·stride + j - padding]`,
    over the positions that lie inside the map.
    """
    side, square, r = x.shape[2], x.shape[2] == x.shape[3], weight.shape[2]
    if x.device.type == "cpu" and square:
        if 2 * padding >= side:
            return weight_gradient_by_taps(x, grad, weight, stride, padding)
        if (r, stride, padding) == (5, 1, 2):
            return weight_gradient_by_column_pairs(x, grad)
        if r > FAST_COLUMNS and _has_phases(x, r, stride, padding):
            return weight_gradient_by_phases(x, grad, r, padding)
    return library_gradient(x, grad, weight, stride, padding, by_input=False)


def weight_gradient_by_taps(x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient (c, 1, r, r), tap by tap, on square maps: few taps reach into a small one."""
    channels, side, out = weight.shape[0], x.shape[2], grad.shape[2]
    x_last, grad_last = x.permute(0, 2, 3, 1), grad.permute(0, 2, 3, 1)
    result = torch.zeros_like(weight)
    spans = [(i, *_span(i, side, out, stride, padding)) for i in range(weight.shape[2])]
    for i, rows_out, rows_in in spans:
        for j, columns_out, columns_in in spans:
            product = x_last[:, rows_in, columns_in] * grad_last[:, rows_out, columns_out]
            result[:, 0, i, j] = product.reshape(-1, channels).sum(0)
    return result


def weight_gradient_by_column_pairs(x: Tensor, grad: Tensor) -> Tensor:
    """The gradient (c, 1, 5, 5) of a kernel with stride 1 and padding 2, from two kernels of three columns.

    The taps one column away are a kernel of three columns. With two neighbouring columns of the map taken as
    twice the channels, which moves no number, the taps two columns away are one, too.
    """
    near = _columns_gradient(x, grad, padding=2, rows=5)
    if x.shape[3] % 2:
        x, grad = F.pad(x, (0, 1)), F.pad(grad, (0, 1))
    n, c, h, w = x.shape
    pairs = (_last(part).reshape(n, h, w // 2, 2 * c).permute(0, 3, 1, 2) for part in (x, grad))
    far = _columns_gradient(*pairs, padding=2, rows=5).reshape(2, c, 1, 5, 3).sum(0)
    return torch.cat([far[..., :1], near, far[..., 2:]], dim=3)


def weight_gradient_by_phases(x: Tensor, grad: Tensor, r: int, padding: int) -> Tensor:
    """The gradient (c, 1, r, r) of a kernel, for stride 2 and square maps, as if there were no stride.

    The even and odd rows and columns of the map become four times the channels of a map of half the side. On
    it, three taps each way reach from 2 pixels before to 3 pixels after the place of an output.
    """
    channels, side = x.shape[1], _side_of_phases(x, grad)
    whole = _last(_widened(x, 2 * side))
    split = whole.reshape(-1, side, 2, side, 2, channels).transpose(2, 3)  # n, row, column, phase, phase, c
    phases = split.reshape(-1, side, side, 4 * channels).permute(0, 3, 1, 2)
    found = _columns_gradient(phases, _phase_outputs(grad, side), padding=1, rows=3)
    taps = found.reshape(2, 2, channels, 3, 3).permute(2, 3, 0, 4, 1).reshape(channels, 1, 6, 6)
    first = 2 - padding
    return taps[:, :, first : first + r, first : first + r]


def _has_phases(x: Tensor, r: int, stride: int, padding: int) -> bool:
    """Whether three taps on maps of half the side reach as far as this kernel."""
    return x.shape[2] == x.shape[3] and stride == 2 and padding <= 2 and r - padding <= 4


def _side_of_phases(x: Tensor, grad: Tensor) -> int:
    """The side of the maps of phases, which hold the whole map and all outputs."""
    return max((x.shape[2] + 1) // 2, grad.shape[2])


def _phase_outputs(grad: Tensor, side: int) -> Tensor:
    """An output's gradient for each of the four phases, (n, 4 c, side, side)."""
    return _last(_widened(grad, side)).repeat(1, 1, 1, 4).permute(0, 3, 1, 2)


def _widened(maps: Tensor, side: int) -> Tensor:
    """Square maps with zeros at their ends up to this side, as they are if they have it."""
    beyond = side - maps.shape[2]
    return F.pad(maps, (0, beyond, 0, beyond)) if beyond else maps


def _columns_gradient(x: Tensor, grad: Tensor, *, padding: int, rows: int) -> Tensor:
    """The library's gradient (c, 1, rows, 3) of a kernel of three columns; `padding` is that of the rows."""
    kernel = x.new_empty(x.shape[1], 1, rows, FAST_COLUMNS)
    return library_gradient(x, grad, kernel, 1, (padding, 1), by_input=False)


def _last(maps: Tensor) -> Tensor:
    """Maps (n, c, h, w) as (n, h, w, c), without a copy if they lie so in memory."""
    return maps.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)


def _span(tap: int, side: int, out: int, stride: int, padding: int) -> tuple[slice, slice]:
    """The output positions that this tap reaches inside the map, and the input positions that it reads."""
    first = max(0, -((tap - padding) // stride))
    last = max(first, min(out, (side - 1 + padding - tap) // stride + 1))
    start = first * stride + tap - padding
    return slice(first, last), slice(
        start, start + (last - first - 1) * stride + 1 if last > first else start, stride
    )
