"""Measures whether training is faster in bfloat16 on this machine; CPUs differ by a factor of thirty."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepsight.core.recipe import Precision
from deepsight.model.hardware.timing import seconds_of
from deepsight.model.layers.pooling import pooled_maps

IMAGES = 4  # per step of the test; without bfloat16 instructions a step takes thirty times as long
TURNS, SECONDS = 6, 1.5  # at most; on a CPU without these instructions the test ends after the first turn
WORTHWHILE = 0.8  # of float32's time; a smaller gain may be noise


def faster_precision(trainable: nn.Module, head: nn.Linear, maps: Tensor) -> Precision:
    """bfloat16 if the trainable stages' training steps are clearly faster in it on this device, else float32.

    Both take turns on one thread and the shortest time of each counts: other load on the machine only adds to
    it, most of all when threads wait for each other.

    Args:
        trainable: the trained stages, maps (b, c, h, w) to maps.
        head: pooled features to logits.
        maps: the frozen stages' output for some images, on the device to be tested.
    """
    few = maps[:IMAGES].clone()
    steps = [partial(gradient_step, trainable, head, few, name) for name in get_args(Precision)]
    turns: list[list[float]] = []
    began = time.perf_counter()
    with one_thread():
        while len(turns) < TURNS and time.perf_counter() - began < SECONDS:
            turns.append([seconds_of(step, device=maps.device) for step in steps])
    float32, bfloat16 = np.min(turns[1:] or turns, axis=0)  # the first turn also allocates memory
    return "bf16-mixed" if bfloat16 < WORTHWHILE * float32 else "32-true"


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block, operators use one CPU thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def in_precision(precision: Precision, device: torch.device) -> torch.autocast:
    """Inside the block, forward passes use this precision; weights and updates stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")


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
