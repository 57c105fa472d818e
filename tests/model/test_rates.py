"""What is measured of a machine: rates at their mean time, and a network that stays as it was."""

import pytest

from deepsight.core.recipe import Recipe
from deepsight.model import rates, weights
from deepsight.model.rates import Rates


def test_the_mean_time_of_two_looks_counts() -> None:
    mean = rates.together([Rates(100, 50, 10, 8, 2), Rates(50, 50, 40, 8, 2)])
    assert mean == Rates(pytest.approx(2 / (1 / 100 + 1 / 50)), 50, pytest.approx(16), 8, 2)  # type: ignore[arg-type]


def test_measuring_leaves_the_weights_as_they_are() -> None:
    pretrained = weights.load(weights.PACKAGED)
    before = {name: value.clone() for name, value in pretrained.backbone.state_dict().items()}
    network = rates.folded_copy(pretrained, Recipe(), k=10)
    found = rates.measure(network, pretrained, Recipe(), (32,))[32]
    assert min(found.trunk, found.tail, found.step) > 0
    assert found.map_bytes == 40 * 4 * 4 * 2
    assert found.cells == 1
    assert all((value == before[name]).all() for name, value in pretrained.backbone.state_dict().items())
