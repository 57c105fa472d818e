"""Multiplications are counted, not timed."""

from torch import nn

from deepsight.model.hardware.multiplications import multiplications


def test_convolutions_and_linear_layers_are_counted() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 2 * 2, 5))
    assert multiplications(network, 4) == 8 * 2 * 2 * 27 + 5 * 32


def test_groups_save_multiplications() -> None:
    assert multiplications(nn.Conv2d(3, 3, 3, groups=3), 3) == 3 * 9
