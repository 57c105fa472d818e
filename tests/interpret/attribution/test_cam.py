"""The closed form against autograd Grad-CAM written by hand, and its refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError
from deepsight.interpret.attribution.cam import (
    check_completeness,
    layer_for,
    layer_maps,
    require_spatial,
    signed_maps,
    without_background,
)


@pytest.fixture
def head() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(12, 5)


@pytest.fixture
def activations() -> Tensor:
    return torch.randn(7, 12, 4, 6, generator=torch.Generator().manual_seed(1))


def logits_of(activations: Tensor, head: nn.Linear) -> Tensor:
    return head(activations.mean(dim=(2, 3)))


def gradcam_by_hand(activations: Tensor, head: nn.Linear, c: int) -> Tensor:
    """Selvaraju et al., equations 1 and 2, with a loop over images and channels."""
    maps = []
    for image in activations:
        a = image[None].clone().requires_grad_(True)
        logits_of(a, head)[0, c].backward()
        assert a.grad is not None
        maps.append(sum(a.grad[0, j].mean() * image[j] for j in range(len(image))).relu())
    return torch.stack(maps).detach()


def test_positive_part_is_grad_cam(activations: Tensor, head: nn.Linear) -> None:
    closed = signed_maps(activations, head.weight).detach()
    for c in range(5):
        # The mean of the gradient over h w cells already holds the factor 1 / (h w).
        torch.testing.assert_close(
            closed[:, c].relu(), gradcam_by_hand(activations, head, c), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("kind", ["gradcam", "hirescam"])
def test_families_agree_before_average_pooling(activations: Tensor, head: nn.Linear, kind: str) -> None:
    asked = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    by_gradient = layer_maps(lambda a: logits_of(a, head), activations, asked, method=kind)  # type: ignore[arg-type]
    closed = signed_maps(activations, head.weight)[torch.arange(7), asked]
    torch.testing.assert_close(by_gradient, closed.detach(), atol=1e-6, rtol=0)


def test_layercam_keeps_the_positive_weights_only(activations: Tensor, head: nn.Linear) -> None:
    asked = torch.zeros(7, dtype=torch.long)
    maps = layer_maps(lambda a: logits_of(a, head), activations, asked, method="layercam")
    expected = signed_maps(activations, head.weight.detach().clamp(min=0))[:, 0]
    torch.testing.assert_close(maps, expected, atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 3),
    k=st.integers(2, 5),
    h=st.integers(1, 4),
    w=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_maps_sum_to_the_logit_minus_its_bias(n: int, k: int, h: int, w: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(n, 8, h, w, generator=generator)
    weight, bias = torch.randn(k, 8, generator=generator), torch.randn(k, generator=generator)
    logits = torch.nn.functional.linear(a.mean(dim=(2, 3)), weight, bias)
    assert check_completeness(signed_maps(a, weight), logits, bias) < 1e-4


def test_completeness_refuses_another_pooling(activations: Tensor, head: nn.Linear) -> None:
    by_maximum = head(activations.amax(dim=(2, 3)))
    with pytest.raises(DeepSightError, match="not average pooling"):
        check_completeness(signed_maps(activations, head.weight), by_maximum, head.bias)


def test_completeness_refuses_nan(activations: Tensor, head: nn.Linear) -> None:
    with pytest.raises(DeepSightError):
        check_completeness(
            signed_maps(activations, head.weight), logits_of(activations, head) * float("nan"), head.bias
        )


@pytest.mark.parametrize("shape", [(2, 12, 1, 1), (2, 12), (2, 5, 12)])
def test_no_map_where_there_is_no_place(shape: tuple[int, ...]) -> None:
    with pytest.raises(DeepSightError, match="layer"):
        require_spatial(torch.zeros(shape))


def test_a_head_of_another_width_is_refused(activations: Tensor) -> None:
    with pytest.raises(DeepSightError, match="12"):
        signed_maps(activations, torch.zeros(5, 11))


def test_gradients_do_not_leak(activations: Tensor, head: nn.Linear) -> None:
    before = activations.clone()
    layer_maps(lambda a: logits_of(a, head), activations, torch.zeros(7, dtype=torch.long))
    assert not activations.requires_grad
    assert head.weight.grad is None
    assert torch.equal(activations, before)


def test_whole_cover_gives_the_model_s_own_logits(activations: Tensor, head: nn.Linear) -> None:
    maps = signed_maps(activations, head.weight)
    own = without_background(maps, head.bias, torch.ones(7, 4, 6))
    torch.testing.assert_close(own, logits_of(activations, head), atol=1e-5, rtol=0)
    nothing = without_background(maps, head.bias, torch.zeros(7, 4, 6))
    torch.testing.assert_close(nothing, head.bias.expand(7, 5), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("sides", "name", "cautious"),
    [
        ({"layer1": 16, "layer2": 8, "layer3": 4, "layer4": 2}, "layer3", True),
        ({"layer1": 56, "layer2": 28, "layer3": 14, "layer4": 7}, "layer4", False),
        ({"layer1": 8, "layer2": 4, "layer3": 2, "layer4": 1}, "layer2", True),
    ],
)
def test_layer_rule(sides: dict[str, int], name: str, cautious: bool) -> None:
    layer = layer_for(sides)
    assert layer.name == name
    assert (layer.caution is not None) == cautious


def test_no_layer_is_fine_enough() -> None:
    with pytest.raises(DeepSightError, match="larger --resolution"):
        layer_for({"layer1": 2, "layer2": 1})


def test_maps_are_what_numpy_gives(activations: Tensor, head: nn.Linear) -> None:
    weight = head.weight.detach().numpy()
    second = np.einsum("kd,ndhw->nkhw", weight, activations.numpy()) / 24
    np.testing.assert_allclose(signed_maps(activations, head.weight).detach().numpy(), second, atol=1e-6)
