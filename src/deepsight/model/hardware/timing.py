"""How long something takes on a device."""

import time
from collections.abc import Callable

import torch


def warm_seconds(action: Callable[[], object], *, device: torch.device) -> float:
    """The time of an action in seconds, after once that is not counted; the device is waited for."""
    action()
    return seconds_of(action, device=device)


def seconds_of(action: Callable[[], object], *, device: torch.device) -> float:
    """The time of an action in seconds; the device is waited for."""
    began = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
