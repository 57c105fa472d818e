"""How long maps take, in processor time of one thread; the methods take turns batch by batch."""

import os
import time
from collections.abc import Callable, Iterator

import torch
from networks import K, ours
from torch import Tensor

from deepsight.interpret.attribution.exact_cam import exact_maps_of_batches

BATCH, WARM = 100, 2
Way = Callable[[Tensor, Tensor], object]


def of_study(name: str) -> dict[str, Way]:
    """A study's own network: logits and features, and the same with the checked maps of all ten classes."""
    net = ours(name)
    head, weight, bias = net.head, net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    rest = net.after(net.stage_names[-1])

    def bare(x: Tensor, _: Tensor) -> object:
        with torch.inference_mode():
            features = net.forward_features(x).mean((2, 3))
            return features.numpy(), head(features).numpy()

    def with_maps(x: Tensor, _: Tensor) -> object:
        with torch.inference_mode():
            return exact_maps_of_batches([net.forward_features(x)], rest, weight, bias)

    return {"bare forward pass": bare, "DeepSight, all ten classes": with_maps}


def seconds(ways: dict[str, Way], side: int, images: int) -> dict[str, list[float]]:
    """Processor seconds of each batch, after two to warm up.

    Processor time, since the machine may have other work; in an order that changes every batch, because a
    method pays for the memory that the one before it has left.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number, (x, classes, order) in enumerate(batches(side, images // BATCH + WARM, len(ways))):
        for name in (list(ways)[i] for i in order):
            start = time.process_time()
            ways[name](x, classes)
            if number >= WARM:
                taken[name].append(time.process_time() - start)
    return taken


def batches(side: int, count: int, ways: int) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
    """Images in channels-last memory, a class for each, and the order of the methods."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        x = torch.randn(BATCH, 3, side, side, generator=generator)
        classes = torch.randint(K, (BATCH,), generator=generator)
        order = torch.randperm(ways, generator=generator).tolist()
        yield x.contiguous(memory_format=torch.channels_last), classes, order


def load() -> float:
    """Processes that wanted to run over the last minute."""
    return os.getloadavg()[0]
