"""The time that an action takes on a device."""

import time
from collections.abc import Callable

import torch


def warm_seconds(action: Callable[[], object], *, device: torch.device) -> float:
    """The shorter time of two runs in seconds, after a warm-up run; waits for the device.

    Other load on the machine makes an action longer and never shorter.
    """
    action()
    return min(seconds_of(action, device=device) for _ in range(2))


def seconds_of(action: Callable[[], object], *, device: torch.device) -> float:
    """The time of an action in seconds; waits for the device."""
    began = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
