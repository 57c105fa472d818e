"""Where a training step's time goes: forward, gradient by the input and by the weight, by kind of layer.

Every convolution is timed by itself, on inputs of the size that it sees in the network, and set against the
machine's own limits, which are measured in the same run: a large matrix product of the same number format,
and a stream through memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from turns import Row, timed

from deepsight.model.layers.depthwise import input_gradient, weight_gradient
from deepsight.model.layers.pointwise import positions

PARTS = ("forward", "input gradient", "weight gradient")


@dataclass(frozen=True)
class Layer:
    """A convolution with the input that it sees: its kind, its work and its traffic."""

    kind: str
    x: Tensor
    conv: nn.Conv2d
    out: Tensor

    @property
    def operations(self) -> float:
        """Multiplications and additions of one of the three parts."""
        per_output = self.conv.in_channels // self.conv.groups * np.prod(self.conv.kernel_size)
        return float(2 * self.out.numel() * per_output)

    @property
    def bytes(self) -> float:
        """Read and written by one of the three parts, at least."""
        numbers = self.x.numel() + self.out.numel() + self.conv.weight.numel()
        return float(self.x.element_size() * numbers)


def kind_of(conv: nn.Conv2d) -> str:
    """What sort of convolution it is."""
    if conv.groups > 1:
        return "depthwise"
    return "1 × 1" if conv.kernel_size == (1, 1) else f"{conv.kernel_size[0]} × {conv.kernel_size[1]}"


def layers_of(network: nn.Module, x: Tensor, number: torch.dtype) -> list[Layer]:
    """The convolutions of a network as they are passed for this input, in order, with maps of this format."""
    found: list[Layer] = []

    def note(conv: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d)
        found.append(Layer(kind_of(conv), inputs[0].detach().to(number), conv, out.detach().to(number)))

    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    handles = [conv.register_forward_hook(note) for conv in convs]
    with torch.no_grad():
        network(x)
    for handle in handles:
        handle.remove()
    return found


def actions_of(layer: Layer) -> dict[str, Callable[[], object]]:
    """The three parts of a convolution's step, each by itself, as the training carries them out."""
    conv, x, grad = layer.conv, layer.x, torch.randn_like(layer.out)
    weight, bias = (part.detach().to(x.dtype) for part in (conv.weight, conv.bias))
    stride, padding = conv.stride[0], int(conv.padding[0])
    if getattr(conv, "same", False):
        padding = (conv.kernel_size[0] - 1) // 2
        weight = F.pad(weight, (1, 0, 1, 0)) if stride == 2 else weight

    if layer.kind == "1 × 1" and x.dtype == torch.bfloat16:
        rows, grads, kernel = positions(x), positions(grad), weight.flatten(1)
        products = (
            partial(torch.addmm, bias, rows, kernel.t()), partial(torch.mm, grads, kernel),
            partial(torch.mm, grads.t(), rows),
        )  # fmt: skip
        return dict(zip(PARTS, products, strict=True))
    forward = partial(F.conv2d, x, weight, bias, stride, padding, 1, conv.groups)
    if layer.kind == "depthwise":
        gradients = (
            partial(way, x, grad, weight, stride, padding) for way in (input_gradient, weight_gradient)
        )
        return dict(zip(PARTS, (forward, *gradients), strict=True))

    def backward(mask: list[bool]) -> object:
        return torch.ops.aten.convolution_backward(
            grad, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], conv.groups, mask
        )

    gradients = (partial(backward, [True, False, False]), partial(backward, [False, True, False]))
    return dict(zip(PARTS, (forward, *gradients), strict=True))


def seconds_by_kind(layers: list[Layer], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Seconds of each round by kind and part, summed over the layers of the kind."""
    totals: dict[tuple[str, str], list[float]] = {}
    with torch.no_grad():
        for layer in layers:
            for part, action in actions_of(layer).items():
                action()
                found = totals.setdefault((layer.kind, part), [0.0] * rounds)
                for turn in range(rounds):
                    found[turn] += timed(action)
    return totals


def peak_operations(rounds: int, number: torch.dtype, side: int = 1024) -> float:
    """Operations per second of a large matrix product in this number format, at its best."""
    a, b = torch.randn(side, side).to(number), torch.randn(side, side).to(number)
    return 2 * side**3 / min(timed(lambda: a @ b) for _ in range(rounds + 1))


def peak_bytes(rounds: int, megabytes: int = 256) -> float:
    """Bytes per second that a copy of a large array reads and writes, at its best."""
    a = torch.zeros(megabytes * 2**18)
    b = torch.empty_like(a)
    return 8.0 * a.numel() / min(timed(lambda: b.copy_(a)) for _ in range(rounds + 1))


def step_by_layer(
    network: nn.Module, maps: Tensor, setting: str, rounds: int, number: torch.dtype
) -> Iterator[Row]:
    """One row for each kind and part: seconds, and the share of the limit that is nearer."""
    layers = layers_of(network, maps, number)
    operations, traffic = peak_operations(rounds, number), peak_bytes(rounds)
    for (kind, part), seconds in seconds_by_kind(layers, rounds).items():
        own = [layer for layer in layers if layer.kind == kind]
        by_work = sum(layer.operations for layer in own) / operations
        by_traffic = sum(layer.bytes for layer in own) / traffic
        limit, least = max(("work", by_work), ("memory", by_traffic), key=lambda pair: pair[1])
        middle = float(np.median(seconds))
        yield {
            "question": "layers", "setting": f"{setting}, {kind}, {part}",
            "measure": f"milliseconds; limit by {limit} {1000 * least:.1f} ms, share {least / middle:.0%}",
            "value": round(1000 * middle, 1), "least": round(1000 * min(seconds), 1),
            "most": round(1000 * max(seconds), 1), "n": len(maps),
        }  # fmt: skip
