"""Measures whether training is faster in bfloat16 on this machine; CPUs differ by a factor of thirty."""

import time
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepsight.core.recipe import Precision
from deepsight.model.hardware.threads import one_thread
from deepsight.model.hardware.timing import seconds_of
from deepsight.model.layers.pooling import pooled_maps

FLOAT32: Final[Precision] = "32-true"
MIXED: Final[Precision] = "bf16-mixed"
STEPS: Final[Precision] = "bf16-steps"
IMAGES = 32  # of the test, at 64 pixels
FEW = 4  # in the first turn; without bfloat16 instructions a step takes thirty times as long
SLOW = 2.0  # times float32's time in the first turn, above which a precision is not tried again
TURNS, SECONDS = 6, 1.5  # at most
WORTHWHILE = 0.9  # of float32's time; a smaller gain may be noise


def faster_precision(trainable: nn.Module, head: nn.Linear, maps: Tensor) -> Precision:
    """The precision in bfloat16 for this network if it makes training steps clearly faster, else float32.

    Both take turns on one thread and the shortest time of each counts: other load on the machine only adds to
    it, most of all when threads wait for each other.

    Args:
        trainable: the trained stages, maps (b, c, h, w) to maps.
        head: pooled features to logits.
        maps: the frozen stages' output for some images, on the device to be tested.
    """
    device = maps.device
    tried = [FLOAT32, short_precision(trainable, device)]

    def seconds(precision: Precision, images: Tensor) -> float:
        return seconds_of(partial(gradient_step, trainable, head, images, precision), device=device)

    with one_thread():
        for _ in range(2):  # the first steps also allocate memory
            first = {precision: seconds(precision, maps[:FEW]) for precision in tried}
            tried = [precision for precision in tried if first[precision] < SLOW * first[FLOAT32]]
        turns: list[list[float]] = []
        began = time.perf_counter()
        while len(tried) > 1 and len(turns) < TURNS and time.perf_counter() - began < SECONDS:
            turns.append([seconds(precision, maps) for precision in tried])
    least = dict(zip(tried, np.min(turns, axis=0), strict=True)) if turns else {FLOAT32: 1.0}
    best = min(tried, key=lambda precision: least[precision])
    return best if least[best] < WORTHWHILE * least[FLOAT32] else FLOAT32


def short_precision(trainable: nn.Module, device: torch.device) -> Precision:
    """How this network trains in bfloat16: on a CPU, one with depthwise convolutions keeps views in float32.

    Views in bfloat16 cost such a network accuracy: docs/decisions/0120-bfloat16-where-nothing-is-reported.md.
    """
    convolutions = [module for module in trainable.modules() if isinstance(module, nn.Conv2d)]
    depthwise = any(1 < conv.groups == conv.in_channels for conv in convolutions)
    return STEPS if depthwise and device.type == "cpu" else MIXED


def in_precision(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Inside the block, forward passes use this precision; weights and updates stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision != FLOAT32)


def forward_in(precision: Precision, module: nn.Module, x: Tensor) -> Tensor:
    """The module's output for x in this precision."""
    with in_precision(precision, x.device):
        return torch.as_tensor(module(x))


def gradient_step(trainable: nn.Module, head: nn.Linear, maps: Tensor, precision: Precision) -> None:
    """Forward and backward pass of one batch; the gradients stay in the parameters."""
    labels = torch.zeros(len(maps), dtype=torch.int64, device=maps.device)
    with in_precision(precision, maps.device):
        logits = head(pooled_maps(trainable(maps))).float()
    F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
