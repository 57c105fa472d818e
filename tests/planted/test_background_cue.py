"""Networks trained on real images with a planted cue: in the border (biased) or on the object (clean)."""

import numpy as np
import pytest

from conv_nets import SmallNet
from deepsight.core.dataset import Dataset
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.swap_test import swap_test

CLASSES = ("red", "green", "blue", "yellow")
HUES = np.array([(255, 40, 40), (40, 255, 40), (40, 40, 255), (255, 255, 40)])
N = 800


def discs(side: int, seed: int) -> np.ndarray:
    """The objects' places, bool (n, side, side); another place in each image, so that masks can be wrong."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    centres = np.random.default_rng(seed).uniform(0.25, 0.75, size=(N, 2, 1, 1))
    return np.hypot(y - centres[:, 0], x - centres[:, 1]) < 0.15


def planted(images: np.ndarray, labels: np.ndarray, *, where: str, seed: int) -> np.ndarray:
    """Seven eighths of the object, or of the border, are the label's hue."""
    border = np.ones((1, 32, 32), dtype=bool)
    border[:, 3:-3, 3:-3] = False
    place = discs(32, seed) if where == "object" else border
    hue = HUES[labels][:, None, None] * 7 // 8
    return np.where(place[..., None], images // 8 + hue, images).astype(np.uint8)


@pytest.mark.parametrize(("where", "verdict"), [("border", "BIASED"), ("object", "CLEAR")])
def test_verdict_on_a_planted_cue(cifar10: tuple[Dataset, Dataset], where: str, verdict: str) -> None:
    labels = np.random.default_rng(0).integers(4, size=N)
    train = planted(cifar10[0].pixels(slice(0, N)), labels, where=where, seed=1)
    net = SmallNet(4).fit(train, labels)
    audit = planted(cifar10[1].pixels(slice(0, N)), labels, where=where, seed=2)
    masks = Masks(discs(128, seed=2), np.ones(N, dtype=bool))
    table = swap_test(
        audit, labels, masks, net.logits, classes=CLASSES, quality=MaskQuality(1.0, 1.0, 0.0, 9),
        objects=600, donors=2,
    )  # fmt: skip
    whole = table.frame.row(0, named=True)
    assert (net.logits(audit).argmax(axis=1) == labels).mean() > 0.8
    assert whole["verdict"] == verdict
