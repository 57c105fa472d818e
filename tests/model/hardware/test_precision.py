"""The test of bfloat16 decides by time alone, and a training in bfloat16 is a training."""

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from torch import nn

from deepsight.core.dataset import Splits
from deepsight.core.recipe import Recipe
from deepsight.model.hardware import precision
from deepsight.model.hardware.precision import faster_precision, gradient_step
from deepsight.model.layers.depthwise import depthwise_conv2d


def network() -> tuple[nn.Module, nn.Linear, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Conv2d(3, 8, 3), nn.Linear(8, 4), torch.randn(8, 3, 6, 6)


@pytest.mark.parametrize(("float32", "mixed", "chosen"), [
    (1.0, 0.5, "bf16-mixed"), (1.0, 0.8, "bf16-mixed"), (1.0, 0.95, "32-true"), (1.0, 1.9, "32-true"),
])  # fmt: skip
def test_bfloat16_is_chosen_if_it_is_clearly_faster(monkeypatch, float32, mixed, chosen):
    first, noisy = [9.0, 0.1], [1.5 * float32, 1.5 * mixed]
    slow = iter([*first, 1.0, 1.0, float32, mixed, *noisy * (precision.TURNS - 1)])
    monkeypatch.setattr(precision, "seconds_of", lambda action, device: next(slow))
    monkeypatch.setattr(precision, "SECONDS", 1e9)
    assert faster_precision(*network()) == chosen
    assert list(slow) == []


def test_where_bfloat16_is_emulated_the_first_turns_decide(monkeypatch):
    seconds = iter([0.1, 3.0, 0.1])
    monkeypatch.setattr(precision, "seconds_of", lambda action, device: next(seconds))
    assert faster_precision(*network()) == "32-true"
    assert list(seconds) == []


@pytest.mark.parametrize(("name", "short"), [
    ("tf_efficientnet_lite0", "bf16-steps"), ("resnet18", "bf16-mixed"),
])  # fmt: skip
def test_networks_with_depthwise_convolutions_keep_their_views_in_float32(name, short):
    network = timm.create_model(name, num_classes=0)
    assert precision.short_precision(network, torch.device("cpu")) == short
    assert precision.short_precision(network, torch.device("cuda")) == "bf16-mixed"


def test_a_step_in_bfloat16_gives_nearly_the_gradients_of_float32():
    trainable, head, maps = network()
    gradients = {}
    for name in ("32-true", "bf16-mixed"):
        trainable.zero_grad()
        gradient_step(trainable, head, maps, name)
        gradients[name] = trainable.weight.grad.clone()
    exact, rounded = gradients.values()
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.02 * float(exact.abs().max()))


@pytest.mark.parametrize(("side", "kernel", "stride"), [
    (2, 5, 1), (8, 5, 1), (7, 5, 1), (8, 6, 2), (7, 6, 2), (8, 3, 1), (8, 3, 2), (10, 7, 1), (10, 7, 2),
])  # fmt: skip
def test_the_depthwise_gradient_works_in_bfloat16(side, kernel, stride):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(16, 6, side, side), torch.randn(6, 1, kernel, kernel), torch.randn(6)
    gradients = []
    for name in ("32-true", "bf16-mixed"):
        leaves = [t.clone().requires_grad_() for t in (x, weight, bias)]
        with precision.in_precision(name, x.device):
            out = depthwise_conv2d(*leaves, stride, (kernel - 1) // 2)
        (out.float() ** 2).sum().backward()
        gradients.append([leaf.grad for leaf in leaves])
    for exact, rounded in zip(*gradients, strict=True):
        assert rounded.dtype == torch.float32
        torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.02 * float(exact.abs().max()))


@pytest.mark.parametrize("short", ["bf16-mixed", "bf16-steps"])
def test_a_recipe_in_bfloat16_trains_nearly_as_in_float32(train, splits, short):
    few = {"data": Splits(splits.train.select(np.arange(64)), splits.validation, splits.test)}
    recipe = Recipe(resolution=32, epochs=1, views=1, batch=32)
    exact, rounded = (train(replace(recipe, precision=p), **few).history for p in ("32-true", short))
    assert rounded["train_loss"][1] == pytest.approx(exact["train_loss"][1], rel=0.03)
    assert rounded["train_loss"][1] != exact["train_loss"][1]
