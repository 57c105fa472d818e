"""Products in bfloat16 are nearly those of float32, and are used only where they are asked for."""

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import nn

from deepsight.model.backbone import Classifier
from deepsight.model.hardware.precision import in_precision
from deepsight.model.layers import fuse_batchnorm
from deepsight.model.layers.fuse_batchnorm import FusedConv2d
from deepsight.model.layers.pointwise import in_bfloat16, pointwise_conv2d

CPU = torch.device("cpu")


def tensors(side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(side)
    x = torch.randn(3, 24, side, side, generator=generator).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(16, 24, 1, 1, generator=generator)
    return x.requires_grad_(), weight.requires_grad_(), torch.randn(16, generator=generator).requires_grad_()


@pytest.mark.parametrize("side", [1, 2, 7])
def test_outputs_and_gradients_are_those_of_the_library_but_for_rounding(side):
    given, outs, gradients = tensors(side), [], []
    for conv, precision in ((F.conv2d, "32-true"), (pointwise_conv2d, "bf16-steps")):
        with in_precision(precision, CPU):
            out = conv(*given).float()
        outs.append(out)
        gradients.append(torch.autograd.grad(out.square().sum(), given))
    assert not torch.equal(*outs)
    for exact, rounded in zip([outs[0], *gradients[0]], [outs[1], *gradients[1]], strict=True):
        assert rounded.dtype == torch.float32
        assert rounded.shape == exact.shape
        torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02 * float(exact.detach().abs().max()))


def test_numbers_that_bfloat16_holds_give_the_library_s_result():
    x, weight, bias = (t.detach().round() for t in tensors(4))
    with in_precision("bf16-steps", CPU):
        ours = pointwise_conv2d(x, weight, bias)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), F.conv2d(x, weight, bias), rtol=2**-8, atol=0)


def test_an_activation_may_change_the_output_in_place():
    given = tensors(3)
    with in_precision("bf16-steps", CPU):
        out = pointwise_conv2d(*given).mul_(2)
    assert out.is_contiguous(memory_format=torch.channels_last)
    out.relu_().sum().backward()
    assert all(bool(t.grad.abs().sum() > 0) for t in given)


@pytest.mark.parametrize(("conv", "pointwise"), [
    (nn.Conv2d(4, 6, 1), True), (Conv2dSame(4, 6, 1), True), (nn.Conv2d(4, 6, 1, padding=1), False),
    (nn.Conv2d(4, 6, 1, stride=2), False), (nn.Conv2d(4, 6, 3, padding=1), False),
    (nn.Conv2d(4, 4, 1, groups=4), False),
])  # fmt: skip
def test_only_convolutions_that_are_one_product_are_meant(monkeypatch, conv, pointwise):
    norm = nn.BatchNorm2d(conv.out_channels).eval()
    fused, x = FusedConv2d.of(conv, norm), torch.randn(2, 4, 5, 5)
    assert fused.pointwise == pointwise
    with torch.no_grad():
        exact = fused(x)
        asked = []
        monkeypatch.setattr(
            fuse_batchnorm, "pointwise_conv2d", lambda *args: asked.append(args) or F.conv2d(*args)
        )
        with in_precision("bf16-steps", CPU):
            rounded = fused(x).float()
    torch.testing.assert_close(exact, norm(conv(x)), rtol=1e-4, atol=1e-4)
    assert len(asked) == pointwise
    torch.testing.assert_close(rounded, exact, rtol=0.03, atol=0.03)


def test_outside_of_the_precision_nothing_is_rounded():
    torch.manual_seed(0)
    classifier = Classifier(timm.create_model("tf_efficientnet_lite0", num_classes=0), 10).eval()
    classifier.fuse_all()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before = classifier(x)
        with in_precision("bf16-steps", x.device):
            assert in_bfloat16(x)
            rounded = classifier(x).float()
        after = classifier(x)
    assert not in_bfloat16(x)
    assert torch.equal(before, after)
    assert not torch.equal(before, rounded)
    torch.testing.assert_close(rounded, before, rtol=0.05, atol=0.05 * float(before.abs().max()))
