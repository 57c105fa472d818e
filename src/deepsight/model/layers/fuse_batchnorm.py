"""Batch norm fused into the convolution before it: the same function, with fewer passes over memory."""

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, nn

from deepsight.model.layers.dense_conv import dense_conv2d
from deepsight.model.layers.depthwise import depthwise_conv2d
from deepsight.model.layers.pointwise import in_bfloat16, pointwise_conv2d

Run = Callable[[Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Module)


class FusedConv2d(nn.Conv2d):
    """A convolution with its batch norm fused into weight and bias.

    TensorFlow's "same" padding is asymmetric on an even side with stride 2 (one more row at the end).
    In place of a padded copy of the map, the kernel gets a zero row and column in front.
    """

    same: bool
    depthwise: bool
    dense: bool
    pointwise: bool
    norm_eps: float

    @staticmethod
    def of(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> "FusedConv2d":
        """The convolution that computes `norm(conv(x))`, with `norm` in evaluation mode."""
        channels = conv.out_channels
        fused = FusedConv2d(
            conv.in_channels, channels, conv.kernel_size,  # type: ignore[arg-type]
            conv.stride, conv.padding, conv.dilation, conv.groups,  # type: ignore[arg-type]
        )  # fmt: skip
        fused.same = isinstance(conv, Conv2dSame)
        one_each = 1 < conv.groups == conv.in_channels == channels
        fused.depthwise = one_each and conv.dilation == (1, 1) and len(set(conv.kernel_size)) == 1
        alike = len({*conv.kernel_size}) == len({*conv.stride}) == len({*map(int, conv.padding)}) == 1
        fused.dense = conv.groups == 1 and conv.dilation == (1, 1) and alike
        fused.pointwise = fused.dense and conv.kernel_size == conv.stride == (1, 1) and not padded(conv)
        fused.norm_eps = norm.eps
        scale, shift = affine_of(norm)
        bias = torch.zeros(channels) if conv.bias is None else conv.bias
        with torch.no_grad():
            fused.weight.copy_(conv.weight * scale[:, None, None, None])
            fused.bias.copy_(bias * scale + shift)  # type: ignore[union-attr]
        return fused.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, c', h', w')."""
        weight, padding, stride = self.weight, int(self.padding[0]), self.stride[0]
        if self.pointwise and self.bias is not None and in_bfloat16(x):
            return pointwise_conv2d(x, weight, self.bias)
        if self.same:
            padding = (self.kernel_size[0] - 1) // 2
            if stride == 2:
                weight = F.pad(weight, (1, 0, 1, 0))
        if torch.is_grad_enabled() and self.bias is not None and (self.depthwise or self.dense):
            conv = depthwise_conv2d if self.depthwise else dense_conv2d
            return conv(x, weight, self.bias, stride, padding)
        return F.conv2d(x, weight, self.bias, stride, padding, self.dilation, self.groups)


def padded(conv: nn.Conv2d) -> bool:
    """Whether a convolution pads its input; TensorFlow's "same" padding adds nothing to a 1 × 1 kernel."""
    return not isinstance(conv, Conv2dSame) and tuple(map(int, conv.padding)) != (0, 0)


def affine_of(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift (c,) of a batch norm in evaluation mode.

    A deviation that is 1 up to rounding counts as exactly 1, so that saving and fusing a fused model again
    keeps every bit.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    deviation = (norm.running_var + norm.eps).sqrt()
    deviation = torch.where((deviation - 1).abs() < 1e-6, torch.ones_like(deviation), deviation)
    scale = norm.weight / deviation
    return scale.detach(), (norm.bias - norm.running_mean * scale).detach()


def norms_after_convolutions(model: nn.Module, run: Run, example: Tensor) -> dict[str, str]:
    """Names of the batch norms that directly follow a convolution, each with that convolution's name.

    Found by running the example and comparing each norm's input with each convolution's output, which works
    for any architecture.
    """
    made: dict[int, tuple[str, Tensor]] = {}
    pairs: dict[str, str] = {}

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(module, nn.Conv2d):
                made[id(output)] = (name, output)
            elif id(inputs[0]) in made:
                pairs[name] = made[id(inputs[0])][0]

        return module.register_forward_hook(hook)

    watched = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    handles = [watch(name, module) for name, module in watched]
    try:
        with torch.no_grad():
            run(example)
    finally:
        for handle in handles:
            handle.remove()
    return pairs


def fuse(model: nn.Module, pairs: dict[str, str], inside: Iterable[nn.Module]) -> None:
    """Fuse, in place, the pairs whose norm lies inside the given parts of the model."""
    parts = {id(m) for part in inside for m in part.modules()}
    for norm_name, conv_name in pairs.items():
        norm, conv = model.get_submodule(norm_name), model.get_submodule(conv_name)
        if id(norm) not in parts or not isinstance(norm, nn.BatchNorm2d) or not isinstance(conv, nn.Conv2d):
            continue
        model.set_submodule(conv_name, FusedConv2d.of(conv, norm))
        model.set_submodule(norm_name, norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity())


def reestimate(run: Run, norms: Iterable[nn.BatchNorm2d], batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of these norms by the plain mean of the batches' statistics."""
    norms = list(norms)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for batch in batches:
            run(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def unfused_state(model: nn.Module, original: dict[str, Tensor], pairs: dict[str, str]) -> dict[str, Tensor]:
    """The state of a fused model under the names of the original; the norms contain only the bias.

    Args:
        model: the model after `fuse`.
        original: the original model's state, for names, shapes and tensors that were not fused.
        pairs: from `norms_after_convolutions`.
    """
    state = {**original, **{k: v for k, v in model.state_dict().items() if k in original}}
    for norm_name, conv_name in pairs.items():
        conv = model.get_submodule(conv_name)
        if not isinstance(conv, FusedConv2d) or conv.bias is None:
            continue
        ones = torch.ones_like(conv.bias)
        state[f"{conv_name}.weight"] = conv.weight
        if f"{conv_name}.bias" in original:
            state[f"{conv_name}.bias"] = torch.zeros_like(ones)
        state[f"{norm_name}.weight"], state[f"{norm_name}.bias"] = ones, conv.bias
        state[f"{norm_name}.running_mean"], state[f"{norm_name}.running_var"] = (
            torch.zeros_like(ones),
            ones - conv.norm_eps,
        )
    return {name: value.detach().contiguous().clone() for name, value in state.items()}


def with_plain_convolutions(network: Network) -> Network:
    """The network with its fused convolutions replaced in place by equivalent plain ones.

    Converters need this, since they do not support weights that are padded at run time.
    """
    for name, module in list(network.named_modules()):
        if isinstance(module, FusedConv2d):
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, plain_convolution(module))
    return network


def plain_convolution(conv: FusedConv2d) -> nn.Conv2d:
    """A plain convolution with the weights, stride and padding of a fused one."""
    weight, padding = conv.weight, int(conv.padding[0])
    if conv.same:
        padding = (conv.kernel_size[0] - 1) // 2
        if conv.stride[0] == 2:  # a row and a column of zeros make the padding of TensorFlow symmetric
            weight = cast(nn.Parameter, F.pad(weight, (1, 0, 1, 0)))
    made = nn.Conv2d(
        conv.in_channels, conv.out_channels, cast(tuple[int, int], tuple(weight.shape[2:])),
        cast(tuple[int, int], conv.stride), padding, cast(tuple[int, int], conv.dilation), conv.groups,
    )  # fmt: skip
    with torch.no_grad():
        made.weight.copy_(weight)
        cast(Tensor, made.bias).copy_(cast(Tensor, conv.bias))
    return made
