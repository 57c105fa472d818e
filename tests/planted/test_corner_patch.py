"""A network that is known to use a corner patch has its maps on the patch; a random network fails."""

import numpy as np
import pytest
import torch

from conv_nets import SmallNet, tensor
from deepsight.core.dataset import Dataset
from deepsight.interpret.attribution.cam import check_completeness, layer_maps, signed_maps
from deepsight.interpret.attribution.energy_pointing import energy_pointing
from deepsight.interpret.faithfulness.checks import grid_pointing_checks, model_randomisation_check

SIDE = 8  # pixels of the patch, two cells of the map


@pytest.fixture(scope="module")
def planted(cifar10: tuple[Dataset, Dataset]) -> tuple[np.ndarray, np.ndarray]:
    """Real images with a patch of one of four colours in the top left corner; the colour is the label."""
    images = cifar10[0].pixels(slice(0, 800)).copy()
    labels = np.random.default_rng(0).integers(4, size=800)
    images[:, :SIDE, :SIDE] = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)])[labels][
        :, None, None
    ]
    return images, labels


@pytest.fixture(scope="module")
def net(planted: tuple[np.ndarray, np.ndarray]) -> SmallNet:
    return SmallNet(4).fit(*planted)


def contrasts(net: SmallNet, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The maps of the given classes (n, c) minus the mean of all classes, (n, c, h, w)."""
    maps = signed_maps(net.features(images), net.head.weight)
    own = maps[torch.arange(len(maps))[:, None], torch.from_numpy(classes)]
    return (own - maps.mean(dim=1, keepdim=True)).numpy()


def contrast(net: SmallNet, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The map of each image's class minus the mean of all classes, (n, h, w)."""
    return contrasts(net, images, labels[:, None])[:, 0]


def on_patch(maps: np.ndarray) -> float:
    """The mean share of positive evidence on the patch, which covers 1 / 16 of the image."""
    cover = np.zeros(maps.shape)
    cover[:, : maps.shape[1] // 4, : maps.shape[2] // 4] = 1
    return float(np.nanmean(energy_pointing(maps, cover)))


def test_the_network_uses_the_patch(planted: tuple[np.ndarray, np.ndarray], net: SmallNet) -> None:
    images, labels = planted
    assert (net.logits(images).argmax(axis=1) == labels).mean() > 0.95
    moved = images.copy()
    moved[:, :SIDE, :SIDE] = images[np.roll(np.arange(len(images)), 1), :SIDE, :SIDE]
    assert (net.logits(moved).argmax(axis=1) == labels).mean() < 0.4


def test_the_maps_are_on_the_patch(planted: tuple[np.ndarray, np.ndarray], net: SmallNet) -> None:
    images, labels = planted
    maps = signed_maps(net.features(images), net.head.weight)
    check_completeness(maps, torch.from_numpy(net.logits(images)), net.head.bias)
    assert on_patch(contrast(net, images, labels)) > 3 / 16


def test_the_maps_of_an_earlier_layer_are_on_the_patch(
    planted: tuple[np.ndarray, np.ndarray], net: SmallNet
) -> None:
    images, labels = planted[0][:200], planted[1][:200]

    def margin(activations: torch.Tensor) -> torch.Tensor:
        logits = net.head(net.stage2(activations).mean(dim=(2, 3)))
        return logits - logits.mean(dim=1, keepdim=True)

    maps = layer_maps(margin, net.stage1(tensor(images)), torch.from_numpy(labels))
    assert on_patch(maps.numpy()) > 3 / 16


def test_a_random_network_fails(planted: tuple[np.ndarray, np.ndarray], net: SmallNet) -> None:
    images, labels = planted
    shares = [on_patch(contrast(SmallNet(4, seed=s), images, labels)) for s in range(1, 6)]
    assert max(shares) < on_patch(contrast(net, images, labels))


def test_pointing_passes_the_planted_network_and_fails_a_random_one(
    planted: tuple[np.ndarray, np.ndarray], net: SmallNet
) -> None:
    images, labels = planted

    def maps_of(model: SmallNet):  # type: ignore[no-untyped-def]
        return lambda mosaics, classes: contrasts(model, mosaics, classes)

    assert grid_pointing_checks(maps_of(net), images, labels, count=40)[0].passed
    assert not grid_pointing_checks(maps_of(SmallNet(4, seed=3)), images, labels, count=40)[0].passed


def test_random_heads_forget_the_patch(planted: tuple[np.ndarray, np.ndarray], net: SmallNet) -> None:
    images, labels = planted[0][:200], planted[1][:200]
    activations = net.features(images)
    rows = torch.arange(200), torch.from_numpy(labels)

    def maps(weight: torch.Tensor) -> np.ndarray:
        return signed_maps(activations, weight)[rows].numpy()

    generator = torch.Generator().manual_seed(0)
    order = [torch.randperm(net.head.weight.numel(), generator=generator) for _ in range(10)]
    heads = [net.head.weight.flatten()[o].view_as(net.head.weight) for o in order]
    assert model_randomisation_check(
        maps(net.head.weight), np.stack([maps(w) for w in heads]), depth="head"
    ).passed
    positive = np.stack([maps(w.abs()) for w in heads])  # a family that is blind to the sign of the weights
    assert not model_randomisation_check(maps(net.head.weight.abs()), positive, depth="head").passed
