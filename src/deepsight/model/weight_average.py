"""An average of a training's last weights, which wander less than any of them."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential average of the weights of a module, and of its running statistics.

    Args:
        module: is read at each update, and changed by `take_over` alone.
        steps: that the training takes.
        share: of the steps that the average reaches back, above 0 and at most 1.
    """

    def __init__(self, module: nn.Module, steps: int, share: float) -> None:
        self._module = module
        self._newest = min(1.0, 1 / (share * steps))  # the part of the newest weights in the average
        self._average = [value.detach().clone() for value in moving(module)]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step."""
        torch._foreach_lerp_(self._average, moving(self._module), self._newest)

    @torch.no_grad()
    def take_over(self) -> None:
        """Give the module the average as its weights."""
        torch._foreach_copy_(moving(self._module), self._average)


def moving(module: nn.Module) -> list[Tensor]:
    """What a training changes: weights, and statistics that are floating-point numbers."""
    weights = [weight.detach() for weight in module.parameters() if weight.requires_grad]
    return weights + [value for value in module.buffers() if value.is_floating_point()]
