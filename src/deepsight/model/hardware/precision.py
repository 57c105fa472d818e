"""Whether training is faster in bfloat16 here: a measurement, since processors differ thirtyfold."""

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

IMAGES = 4  # in a step of the test: without bfloat16 instructions it takes thirty times as long
TURNS, SECONDS = 6, 1.5  # at most; a step of such a machine ends the test after its first turn
WORTHWHILE = 0.8  # of float32's time; above, a mistake of the clock may have decided


def faster_precision(trainable: nn.Module, head: nn.Linear, maps: Tensor) -> Precision:
    """The precision in which the trainable stages' training steps are clearly faster on this device.

    Both take turns on one thread and the least time of each counts: other work on the machine only ever adds
    to it, and most of all where threads wait for each other.

    Args:
        trainable: the trained stages, maps (b, c, h, w) to maps.
        head: pooled features to logits.
        maps: what the frozen stages gives for some images; their device is the one that is tried.
    """
    few = maps[:IMAGES].clone()
    steps = [partial(gradient_step, trainable, head, few, name) for name in get_args(Precision)]
    turns: list[list[float]] = []
    began = time.perf_counter()
    with one_thread():
        while len(turns) < TURNS and time.perf_counter() - began < SECONDS:
            turns.append([seconds_of(step, device=maps.device) for step in steps])
    float32, bfloat16 = np.min(turns[1:] or turns, axis=0)  # the first turn also gets the memory
    return "bf16-mixed" if bfloat16 < WORTHWHILE * float32 else "32-true"


@contextmanager
def one_thread() -> Iterator[None]:
    """Operators run on one thread of the processor in here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def in_precision(precision: Precision, device: torch.device) -> torch.autocast:
    """Forward passes in here compute in this precision; weights and updates stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")


def forward_in(precision: Precision, module: nn.Module, x: Tensor) -> Tensor:
    """What the module makes of x in this precision."""
    with in_precision(precision, x.device):
        return torch.as_tensor(module(x))


def gradient_step(trainable: nn.Module, head: nn.Linear, maps: Tensor, precision: Precision) -> None:
    """Forward and backward of one batch; the gradients are left in the parameters."""
    labels = torch.zeros(len(maps), dtype=torch.int64, device=maps.device)
    with in_precision(precision, maps.device):
        logits = head(pooled_maps(trainable(maps))).float()
    F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
