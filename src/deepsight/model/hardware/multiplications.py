"""The number of multiplications of a network for one image, a cost that is the same on every machine."""

from contextlib import ExitStack

import torch
from torch import Tensor, nn


def multiplications(network: nn.Module, side: int) -> float:
    """Multiplications of the convolutions and linear layers of a network for one image.

    Args:
        network: takes float32 (1, 3, side, side); it is left in evaluation mode, without hooks.
        side: of the image, pixels.
    """
    total = 0.0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        weight = torch.as_tensor(module.weight)
        total += output.numel() * weight.numel() / weight.shape[0]

    counted = (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    with ExitStack() as hooks, torch.inference_mode():
        for module in counted:
            hooks.enter_context(module.register_forward_hook(count))
        network.eval()(torch.zeros(1, 3, side, side))
    return total
