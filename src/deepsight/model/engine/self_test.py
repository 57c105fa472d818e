"""Which engine settings are fastest here: a measurement of at most two seconds."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from deepsight.core.engine_settings import EngineSettings
from deepsight.model.engine.forward_engine import ForwardEngine
from deepsight.model.engine.settings import default_settings, using_settings
from deepsight.model.hardware.timing import seconds_of

SECONDS = 2.0
IMAGES = 128  # in a turn, at 64 pixels; fewer at more pixels
TURNS = 7  # at most
WORTHWHILE = 0.95  # of PyTorch's time


def fastest_settings(module: nn.Module, side: int, seconds: float = SECONDS) -> EngineSettings:
    """The settings with which this module answers images of this side fastest, or PyTorch's.

    Candidates take turns and the least time of each counts, since other work on the machine only ever adds to
    it. An engine that does not agree with PyTorch answers through PyTorch, so it cannot win.

    Args:
        module: images (b, 3, side, side) to a tuple of tensors; it decides by its device, too.
        side: in pixels.
        seconds: when no further turn begins; every candidate has one.
    """
    began, torch_settings = time.perf_counter(), EngineSettings("torch")
    device = next(module.parameters()).device
    if default_settings().backend == "torch" or device.type != "cpu":
        return torch_settings
    settings = candidates(torch.get_num_threads())
    images = torch.zeros(torch_settings.images_per_batch(side) * IMAGES // 64, 3, side, side)
    actions = [
        timed_pass(module, images.contiguous(memory_format=torch.channels_last), each) for each in settings
    ]
    turns: list[list[float]] = []
    while len(turns) < TURNS and (len(turns) < 2 or time.perf_counter() - began < seconds):
        turns.append([seconds_of(action, device=device) for action in actions])
    least = np.min(turns[1:], axis=0)  # the first turn also compiles
    best = int(least.argmin())
    return settings[best] if least[best] < WORTHWHILE * least[0] else torch_settings


def candidates(threads: int) -> list[EngineSettings]:
    """What is tried: PyTorch first, then OpenVINO with one stream, and with one for each thread."""
    one = EngineSettings("openvino")
    several = [replace(one, streams=threads)] if threads > 1 else []
    return [EngineSettings("torch"), one, *several]


def timed_pass(module: nn.Module, images: Tensor, settings: EngineSettings) -> Callable[[], object]:
    """A pass of all images under these settings; its engine is made once."""
    engine = ForwardEngine(module, compile_after=0)

    def forward() -> None:
        with using_settings(settings):
            batches = torch.split(images, settings.images_per_batch(images.shape[-1]))
            for _ in engine.run(batches, len(images)):
                pass

    return forward
