"""Forward passes by PyTorch, on any device: the reference for every other backend."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from deepsight.core.recipe import PassPrecision
from deepsight.model.hardware.precision import in_precision

Outputs = tuple[Tensor, ...]


class TorchBackend:
    """A module whose output is a tuple of tensors, run batch by batch on the device of its parameters."""

    def __init__(self, module: nn.Module, precision: PassPrecision = "32-true") -> None:
        self._module = module
        self._precision = precision

    def run(self, batches: Iterable[Tensor]) -> Iterator[Outputs]:
        """The outputs of each batch (b, c, h, w), in order."""
        device = next(self._module.parameters()).device
        for batch in batches:
            # Not around the loop: inference mode would stay on while the caller uses the outputs.
            with torch.inference_mode(), in_precision(self._precision, device):
                outputs = self._module(batch.to(device, non_blocking=True))
            yield outputs if self._precision == "32-true" else tuple(each.float() for each in outputs)
