"""1 × 1 convolution as matrix products in bfloat16, forward and for both gradients.

Processors with instructions for bfloat16 multiply its matrices about twice as fast as those of float32. The
sums of a product stay in float32, and so do all maps, weights and gradients outside of it:
docs/decisions/0120-bfloat16-where-nothing-is-reported.md.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from torch import Tensor

_in_bfloat16: ContextVar[bool] = ContextVar("products_in_bfloat16", default=False)


@contextmanager
def products_in_bfloat16() -> Iterator[None]:
    """Inside the block, fused 1 × 1 convolutions compute their products in bfloat16."""
    token = _in_bfloat16.set(True)
    try:
        yield
    finally:
        _in_bfloat16.reset(token)


def are_products_in_bfloat16() -> bool:
    """Whether the caller is inside `products_in_bfloat16`."""
    return _in_bfloat16.get()


class _PointwiseConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        rows, kernel = positions(x).bfloat16(), weight.flatten(1).bfloat16()
        ctx.save_for_backward(rows, kernel)
        ctx.size = n, height, width = x.shape[0], *x.shape[2:]
        # Not a view of the product: the activation that follows may change its input in place.
        out = torch.empty((n, len(kernel), height, width), device=x.device, memory_format=torch.channels_last)
        torch.add(rows @ kernel.t(), bias, out=positions(out))
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        rows, kernel = ctx.saved_tensors
        grad = positions(grad_outputs[0])
        short = grad.bfloat16()
        wants_x, wants_weight, _ = ctx.needs_input_grad
        n, height, width = ctx.size
        grad_x = (short @ kernel).float().view(n, height, width, -1).permute(0, 3, 1, 2) if wants_x else None
        grad_weight = (short.t() @ rows).float()[:, :, None, None] if wants_weight else None
        return grad_x, grad_weight, grad.sum(0)


def positions(maps: Tensor) -> Tensor:
    """Maps (b, c, h, w) as a matrix (b h w, c); a view if the channels are last in memory."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def pointwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`F.conv2d(x, weight, bias)`, weight (c', c, 1, 1), with products in bfloat16; float32 (b, c', h, w)."""
    return cast(Tensor, _PointwiseConv2d.apply(x, weight, bias))
