"""Backbones with batch norm statistics that are far from those they are born with."""

import timm
import torch
from torch import nn


def randomise_statistics(model: nn.Module) -> None:
    """Give every batch norm statistics and weights that are far from those it is born with."""
    generator = torch.Generator().manual_seed(5)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.3, generator=generator)
        norm.running_var.uniform_(0.4, 2.0, generator=generator)
        with torch.no_grad():
            norm.weight.uniform_(0.5, 1.5, generator=generator)
            norm.bias.normal_(0, 0.3, generator=generator)


def small_vgg() -> nn.Module:
    """VGG16-BN as it is, but for the two layers of 4,096 units that are not used here."""
    vgg = timm.models.vgg.VGG
    return vgg(timm.models.vgg.cfgs["vgg16"], norm_layer=nn.BatchNorm2d, num_classes=0, mlp_ratio=0.01)


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = small_vgg() if name == "vgg16_bn" else timm.create_model(name, num_classes=0)
    randomise_statistics(model)
    return model


def images(n: int = 2, side: int = 64) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(9))
