"""One type for somebody else's model: a function of prepared inputs, with what is known about it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError
from deepsight.core.open_model import Visit
from deepsight.model.foreign.input_format import InputFormat

Watch = Callable[[Visit], AbstractContextManager[None]]


@dataclass(frozen=True)
class Network:
    """An opened model.

    Attributes:
        name: as the report shows it.
        forward: prepared inputs to whatever the model returns.
        module: the torch module, or None for a model that only returns outputs.
        watch: reports the output of each part that runs; None if the parts cannot be watched.
        parameters: returns the tensors of each named part; present together with `watch`.
        documented: the preprocessing that the file or its library states, or None.
        classes: names of the outputs in their order, or None.
        size: height and width that the input must have, or None for any.
        layout: order of the input's axes, or None if it is unknown.
        batch: the number of images that each call must have, or None for any.
        notice: what the reader must know about how it was opened.
    """

    name: str
    forward: Callable[[Tensor], Any]
    module: nn.Module | None = None
    watch: Watch | None = None
    parameters: Callable[[], Mapping[str, Sequence[Tensor]]] | None = None
    documented: InputFormat | None = None
    classes: tuple[str, ...] | None = None
    size: tuple[int, int] | None = None
    layout: str | None = None
    batch: int | None = None
    notice: str = ""


def network_of_module(module: nn.Module, name: str, **known: Any) -> Network:
    """A torch module as a network: inputs go to its device in its number format.

    Raises:
        DeepSightError: it has no weights yet.
    """
    device, dtype = device_and_type(module)
    if device.type == "meta":
        raise DeepSightError(f"Expected {name} with its weights, but they are on the meta device. Load them.")

    def forward(inputs: Tensor) -> Any:
        return module(inputs.to(device=device, dtype=dtype))

    def own() -> Mapping[str, Sequence[Tensor]]:
        return {part: list(m.parameters(recurse=False)) for part, m in module.named_modules()}

    return Network(name, forward, module, lambda visit: watch_module(module, visit), own, **known)


def device_and_type(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and floating type of a module's first parameter or buffer; CPU and float32 without one."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32


@contextmanager
def watch_module(module: nn.Module, visit: Visit) -> Iterator[None]:
    """Report each submodule's output with at least one axis; the hooks are removed at the end."""

    def hook(name: str) -> Callable[..., Tensor | None]:
        return lambda _module, _inputs, output: visit(name, output) if has_axes(output) else None

    with ExitStack() as stack:
        for name, part in module.named_modules():
            if name:
                stack.callback(part.register_forward_hook(hook(name)).remove)
        yield


def has_axes(output: Any) -> bool:
    """Whether an output is a tensor with axes; converted graphs also have parts that hold one number."""
    return isinstance(output, Tensor) and output.ndim > 0


@contextmanager
def undisturbed(module: nn.Module | None) -> Iterator[None]:
    """Evaluation mode inside the block; every submodule's own mode is restored, also after an error."""
    if module is None:
        yield
        return
    modes = [(part, part.training) for part in module.modules()]
    try:
        for part, _ in modes:
            part.training = False
        yield
    finally:
        for part, training in modes:
            part.training = training
