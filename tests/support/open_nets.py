"""A small network that can be opened stage by stage, as the examination asks for it."""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from conv_nets import SmallNet, tensor


class OpenNet:
    """`SmallNet` for images of 32 × 32 pixels: a stem of 16 × 16 cells, then one stage of 8 × 8."""

    def __init__(self, net: SmallNet, *, side: int = 32) -> None:
        self.net, self.side = net, side
        self.stages = {"stem": net.stage1, "stage": net.stage2}

    @property
    def weight(self) -> np.ndarray:
        return self.net.head.weight.numpy()

    @property
    def bias(self) -> np.ndarray:
        return self.net.head.bias.numpy()

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        return self.net.logits(pixels)

    def sides(self) -> dict[str, int]:
        return {"stem": self.side // 2, "stage": self.side // 4}

    def map_batches(self, pixels: np.ndarray) -> Iterator[Tensor]:
        for start in range(0, len(pixels), 64):
            yield self.net.features(pixels[start : start + 64])

    def stage_maps(self, stage: str, pixels: np.ndarray) -> Tensor:
        maps = tensor(pixels)
        for name, part in self.stages.items():
            maps = part(maps)
            if name == stage:
                break
        return maps

    def from_stage(self, stage: str) -> nn.Sequential:
        names = list(self.stages)
        rest = [(name, self.stages[name]) for name in names[names.index(stage) + 1 :]]
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), self.net.head)
        return nn.Sequential(OrderedDict([*rest, ("head", head)]))

    def of_mosaics(self, tiles: int) -> "OpenNet":
        return OpenNet(self.net, side=tiles * self.side)


def without_learning(net: SmallNet, *, seed: int) -> SmallNet:
    """The same network as it was born, with a head as large as the fitted one's."""
    torch.manual_seed(seed)
    random = SmallNet(net.head.out_features, seed=seed)
    random.head.weight.normal_(0, float(net.head.weight.std()))
    return random
