"""An average of the last weights of a training, which varies less than the weights of a single step."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential average of a module's weights and running statistics (Polyak and Juditsky 1992).

    Args:
        module: read at each update; only `take_over` changes it.
        steps: number of steps of the training.
        share: of the steps, that the average spans; above 0 and at most 1.
    """

    def __init__(self, module: nn.Module, steps: int, share: float) -> None:
        self._module = module
        self._newest = min(1.0, 1 / (share * steps))  # the part of the newest weights in the average
        self._average = [value.detach().clone() for value in moving(module)]

    @torch.no_grad()
    def update(self) -> None:
        """Add the current weights to the average; call it after each step."""
        torch._foreach_lerp_(self._average, moving(self._module), self._newest)

    @torch.no_grad()
    def take_over(self) -> None:
        """Set the module's weights to the average."""
        torch._foreach_copy_(moving(self._module), self._average)


def moving(module: nn.Module) -> list[Tensor]:
    """Everything that training changes: trainable weights and floating-point buffers."""
    weights = [weight.detach() for weight in module.parameters() if weight.requires_grad]
    return weights + [value for value in module.buffers() if value.is_floating_point()]
