"""A task of three colours, and a network that solves it exactly if its input is prepared as it expects."""

import numpy as np
import torch
from torch import Tensor, nn

from deepsight.core.dataset import Dataset

CLASSES = ("red", "green", "blue")


def coloured_discs(n: int = 120, *, side: int = 32, wrong: int = 0, seed: int = 0) -> Dataset:
    """Discs in their class's colour on dim noise; the first `wrong` images carry another class's label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 100, (n, side, side, 3)).astype(np.uint8)
    y, x = np.mgrid[:side, :side]
    for i, c in enumerate(labels):
        cy, cx = rng.integers(side // 3, 2 * side // 3 + 1, 2)
        inside = (y - cy) ** 2 + (x - cx) ** 2 < (side // 4) ** 2
        images[i][inside] = 40
        images[i][inside, c] = 230
    given = labels.copy()
    given[:wrong] = (labels[:wrong] + 1) % 3
    return Dataset(images, given.astype(np.int64), CLASSES, np.arange(n), "test")


class ColourNet(nn.Module):
    """Bright pixels of each channel, averaged: made for RGB in 0 to 1, or for what `scale` and `bgr` say."""

    def __init__(self, *, scale: float = 1.0, bgr: bool = False, order: tuple[int, ...] = (0, 1, 2)) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 3, 5, stride=4, padding=2), nn.ReLU()
        self.pool, self.flat, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, len(order))
        with torch.no_grad():
            self.conv.weight.zero_()
            for c in range(3):
                self.conv.weight[c, 2 - c if bgr else c] = 1 / (25 * scale)
            self.conv.bias.fill_(-0.45)
            self.head.weight.zero_()
            for output, c in enumerate(order):
                self.head.weight[output, c] = 150
            self.head.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.flat(self.pool(self.act(self.conv(images)))))
