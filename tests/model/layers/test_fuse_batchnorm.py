"""A folded network gives what the unfolded one gives, forward and backward."""

import copy

import pytest
import torch
from torch import nn

from backbones import build, images, randomise_statistics
from deepsight.model.backbone import Classifier
from deepsight.model.layers.fuse_batchnorm import FusedConv2d, affine_of, norms_after_convolutions, reestimate

FAMILIES = ["tf_efficientnet_lite0", "resnet18", "resnet50", "convnext_atto"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES, "vgg16_bn"])
def test_the_folded_network_is_the_same_function(name):
    classifier = Classifier(build(name), 10)
    with torch.inference_mode():
        before = classifier.forward_features(images())
        classifier.fuse_all()
        after = classifier.forward_features(images())
    assert before.abs().max() > 0
    assert (after - before).abs().max() < 1e-4 * before.abs().max()
    left = [m for m in classifier.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not left


@pytest.mark.slow
def test_the_unfolded_network_is_timm_s_own():
    model = build("resnet18")
    with torch.inference_mode():
        timm_s = copy.deepcopy(model).eval().forward_features(images())
        ours = Classifier(model, 10).forward_features(images())
    assert (ours - timm_s).abs().max() < 1e-5 * timm_s.abs().max()


def test_folding_the_trunk_leaves_the_tail_s_norms():
    classifier = Classifier(build("resnet18"), 10)
    classifier.fuse_frozen()
    assert not [m for m in classifier.frozen_stages.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [m for m in classifier.trainable_stages.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, 64])
def test_gradients_pass_the_folded_convolutions_unchanged(side):
    """The derivative by the input, and that by a folded kernel, which is the plain one over its scale."""
    plain = Classifier(build("tf_efficientnet_lite0"), 10)
    folded = copy.deepcopy(plain)
    folded.fuse_all()
    found = []
    for classifier in (plain, folded):
        x = images(2, side).requires_grad_()
        classifier.forward_features(x).square().mean().backward()
        conv = classifier.backbone.blocks[5][0].conv_dw
        found.append((x.grad, conv.weight.grad))
    scale, _ = affine_of(plain.backbone.blocks[5][0].bn2)
    (x_plain, w_plain), (x_folded, w_folded) = found
    assert (x_plain - x_folded).abs().max() < 1e-3 * x_plain.abs().max()
    assert (w_plain - w_folded * scale[:, None, None, None]).abs().max() < 1e-3 * w_plain.abs().max()


def test_grouped_convolutions_that_are_not_depthwise_can_be_trained():
    conv, norm = nn.Conv2d(8, 16, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(16).eval()
    randomise_statistics(norm)
    folded = FusedConv2d.of(conv, norm)
    x = torch.randn(2, 8, 6, 6, requires_grad=True)
    torch.testing.assert_close(folded(x), norm(conv(x)), rtol=1e-4, atol=1e-5)
    folded(x).sum().backward()
    assert torch.isfinite(folded.weight.grad).all()


def test_pairs_are_found_by_what_flows_not_by_names():
    class Crossed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.late = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
            self.alone = nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.late(self.b(self.a(self.alone(x)).relu()))

    net = Crossed().eval()
    assert norms_after_convolutions(net, net, torch.zeros(1, 3, 4, 4)) == {"late": "b"}
    assert not any(m._forward_hooks for m in net.modules())


def test_hooks_are_freed_after_an_error():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    with pytest.raises(RuntimeError):
        norms_after_convolutions(net, net, torch.zeros(1, 5, 4, 4))
    assert not any(m._forward_hooks for m in net.modules())


def test_reestimated_statistics_are_the_means_over_batches():
    norm = nn.BatchNorm2d(3).eval()
    norm.running_mean.fill_(7.0)
    batches = [torch.randn(16, 3, 5, 5) * 2 + 1 for _ in range(3)]
    reestimate(norm, [norm], batches)
    flat = [b.permute(1, 0, 2, 3).reshape(3, -1) for b in batches]
    torch.testing.assert_close(norm.running_mean, torch.stack([f.mean(1) for f in flat]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([f.var(1) for f in flat]).mean(0))
    assert (norm.momentum, norm.training) == (0.1, False)
