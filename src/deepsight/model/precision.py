"""Whether training steps are faster in bfloat16 here: a measurement, since processors differ thirtyfold."""

from functools import partial
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepsight.core.recipe import Precision
from deepsight.model.clock import median_seconds

IMAGES = 4  # in a step of the test: without bfloat16 instructions it takes thirty times as long
WORTHWHILE = 0.8  # of float32's time; above, a mistake of the clock may have decided


def faster_precision(tail: nn.Module, head: nn.Linear, maps: Tensor) -> Precision:
    """The precision in which the tail's training steps are clearly faster on this device.

    Args:
        tail: the trained stages, maps (b, c, h, w) to maps.
        head: pooled features to logits.
        maps: what the trunk gives for some images; their device is the one that is tried.
    """
    few = maps[:IMAGES].clone()
    seconds = {
        name: median_seconds(partial(gradient_step, tail, head, few, name), device=maps.device)
        for name in get_args(Precision)
    }
    return "bf16-mixed" if seconds["bf16-mixed"] < WORTHWHILE * seconds["32-true"] else "32-true"


def in_precision(precision: Precision, device: torch.device) -> torch.autocast:
    """The forward pass of a training step computes in this precision; weights and updates stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")


def gradient_step(tail: nn.Module, head: nn.Linear, maps: Tensor, precision: Precision) -> None:
    """Forward and backward of one batch; the gradients are left in the parameters."""
    labels = torch.zeros(len(maps), dtype=torch.int64, device=maps.device)
    with in_precision(precision, maps.device):
        logits = head(tail(maps).mean((2, 3))).float()
    F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
