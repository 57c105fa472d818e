"""The average of the last weights against its sum written out, and against torch's own."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from deepsight.model.training.weight_average import WeightAverage


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))


@pytest.mark.parametrize(("steps", "share"), [(20, 0.5), (40, 0.2), (3, 0.2)])
def test_it_is_the_exponential_average_of_torch(steps: int, share: float) -> None:
    module = network()
    average = WeightAverage(module, steps, share)
    decay = 1 - min(1.0, 1 / (share * steps))
    theirs = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    theirs.update_parameters(module)  # the first call copies the weights before any step
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        module(torch.randn(8, 3, 8, 8)).square().mean().backward()
        optimiser.step()
        average.update()
        theirs.update_parameters(module)
    last = copy.deepcopy(module.state_dict())
    average.take_over()
    for name, value in theirs.module.state_dict().items():
        if not value.is_floating_point():
            continue  # a count of batches
        torch.testing.assert_close(module.state_dict()[name], value)
    changed = not torch.equal(last["0.weight"], module.state_dict()["0.weight"])
    assert changed == (share * steps > 1)


def test_weights_that_are_not_trained_stay_bit_for_bit() -> None:
    module = network()
    module[0].weight.requires_grad_(False)
    before = module[0].weight.clone()
    average = WeightAverage(module, 10, 0.5)
    for _ in range(10):
        average.update()
    average.take_over()
    assert torch.equal(module[0].weight, before)
