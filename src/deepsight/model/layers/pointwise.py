"""1 × 1 convolution in bfloat16 as matrix products, forward and for both gradients.

Inside autocast to bfloat16, PyTorch's CPU library convolves maps with 1 × 1 kernels, which takes longer than
the same products of matrices: docs/decisions/0120-bfloat16-where-nothing-is-reported.md.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd


def in_bfloat16(x: Tensor) -> bool:
    """Whether convolutions of these maps are autocast to bfloat16 on a CPU."""
    on_processor = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return on_processor and torch.get_autocast_dtype("cpu") == torch.bfloat16


class _PointwiseConv2d(torch.autograd.Function):
    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        rows, kernel = positions(x), weight.flatten(1)
        ctx.save_for_backward(rows, kernel)
        ctx.size = n, height, width = x.shape[0], *x.shape[2:]
        # Not a view of the product: the activation that follows may change its input in place.
        out = torch.empty(
            (n, len(kernel), height, width), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
        )
        torch.addmm(bias, rows, kernel.t(), out=positions(out))
        return out

    @staticmethod
    @custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        rows, kernel = ctx.saved_tensors
        grad = positions(grad_outputs[0])
        wants_x, wants_weight, _ = ctx.needs_input_grad
        n, height, width = ctx.size
        grad_x = (grad @ kernel).view(n, height, width, -1).permute(0, 3, 1, 2) if wants_x else None
        grad_weight = (grad.t() @ rows)[:, :, None, None] if wants_weight else None
        return grad_x, grad_weight, grad.sum(0)  # autograd casts to the inputs' types


def positions(maps: Tensor) -> Tensor:
    """Maps (b, c, h, w) as a matrix (b h w, c); a view if the channels are last in memory."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def pointwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`F.conv2d(x, weight, bias)`, weight (c', c, 1, 1), under autocast: bfloat16 (b, c', h, w)."""
    return cast(Tensor, _PointwiseConv2d.apply(x, weight, bias))
