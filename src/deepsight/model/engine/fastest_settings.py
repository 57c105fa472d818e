"""Measures which engine settings are fastest on this machine, in about two seconds."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from deepsight.core.engine_settings import EngineSettings
from deepsight.model.engine.forward_engine import ForwardEngine
from deepsight.model.engine.openvino_backend import has_bfloat16
from deepsight.model.engine.settings import default_settings, using_settings
from deepsight.model.hardware.timing import seconds_of

SECONDS = 2.0
IMAGES = 128  # per turn, at 64 pixels; fewer at larger sizes
TURNS = 7  # at most
WORTHWHILE = 0.95  # of PyTorch's time, below which another engine is chosen


def fastest_settings(module: nn.Module, side: int, seconds: float = SECONDS) -> EngineSettings:
    """The settings with which this module processes images of this side fastest, or PyTorch's.

    Candidates take turns and the shortest time of each counts, since other load on the machine only adds to
    it. An engine that disagrees with PyTorch runs PyTorch instead, so it cannot win. Float32 decides about
    backend and streams; outputs that nobody reports are computed in bfloat16 if that is clearly faster still.

    Args:
        module: images (b, 3, side, side) to a tuple of tensors; on an accelerator PyTorch is always chosen.
        side: in pixels.
        seconds: after which no further turn begins; every candidate has at least two.
    """
    began, torch_settings = time.perf_counter(), EngineSettings("torch")
    device = next(module.parameters()).device
    if default_settings().backend == "torch" or device.type != "cpu":
        return torch_settings
    settings = candidates(torch.get_num_threads())
    generator = torch.Generator().manual_seed(0)
    n = torch_settings.images_per_batch(side) * IMAGES // 64
    images = torch.randn(n, 3, side, side, generator=generator)  # bfloat16 rounds equal numbers alike
    actions = [
        timed_pass(module, images.contiguous(memory_format=torch.channels_last), each) for each in settings
    ]
    turns: list[list[float]] = []
    while len(turns) < TURNS and (len(turns) < 2 or time.perf_counter() - began < seconds):
        turns.append([seconds_of(action, device=device) for action in actions])
    least = np.min(turns[1:], axis=0)  # the first turn also compiles
    taken = dict(zip(settings, least, strict=True))
    best = min((each for each in settings if each.precision == "32-true"), key=lambda each: taken[each])
    if taken[best] >= WORTHWHILE * taken[torch_settings]:
        return torch_settings
    short = replace(best, precision="bf16-mixed")
    return short if taken.get(short, np.inf) < WORTHWHILE * taken[best] else best


def candidates(threads: int) -> list[EngineSettings]:
    """The candidates: PyTorch first, then OpenVINO with one stream, and with one per thread.

    If the processor has instructions for bfloat16, those of OpenVINO follow again with it.
    """
    streams = (1, threads) if threads > 1 else (1,)
    found = [EngineSettings("openvino", streams=n) for n in streams]
    short = [replace(each, precision="bf16-mixed") for each in found] if has_bfloat16() else []
    return [EngineSettings("torch"), *found, *short]


def timed_pass(module: nn.Module, images: Tensor, settings: EngineSettings) -> Callable[[], object]:
    """A function that passes all images through one engine under these settings."""
    engine = ForwardEngine(module, settings.precision, compile_after=0)

    def forward() -> None:
        with using_settings(settings):
            batches = torch.split(images, settings.images_per_batch(images.shape[-1]))
            for _ in engine.run(batches, len(images)):
                pass

    return forward
