"""Multiplications are counted, not timed."""

import pytest
from torch import nn

from deepsight.model.hardware.multiplications import multiplications


def test_convolutions_and_linear_layers_are_counted() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 2 * 2, 5))
    assert multiplications(network, 4) == 8 * 2 * 2 * 27 + 5 * 32


def test_groups_save_multiplications() -> None:
    assert multiplications(nn.Conv2d(3, 3, 3, groups=3), 3) == 3 * 9


@pytest.mark.parametrize("side", [4, 5])
def test_no_hook_stays_on_the_network(side: int) -> None:
    """An image of 5 pixels has too many outputs for the linear layer, after the convolution was counted."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 2 * 2, 5))
    if side == 5:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            multiplications(network, side)
    else:
        multiplications(network, side)
    assert [len(module._forward_hooks) for module in network.modules()] == [0] * 4
