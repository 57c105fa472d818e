"""How long something takes on a device."""

import time
from collections.abc import Callable

import torch


def warm_seconds(action: Callable[[], object], *, device: torch.device) -> float:
    """The shorter time of two in seconds, after once that is not counted; the device is waited for.

    The shorter one: other work that comes and goes makes an action longer, and never shorter.
    """
    action()
    return min(seconds_of(action, device=device) for _ in range(2))


def seconds_of(action: Callable[[], object], *, device: torch.device) -> float:
    """The time of an action in seconds; the device is waited for."""
    began = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
