"""How long something takes on a device."""

import time
from collections.abc import Callable

import numpy as np
import torch


def median_seconds(action: Callable[[], object], *, device: torch.device, times: int = 3) -> float:
    """The median time of an action in seconds, after one that is not counted; the device is waited for."""
    return float(np.median([seconds_of(action, device=device) for _ in range(1 + times)][1:]))


def seconds_of(action: Callable[[], object], *, device: torch.device) -> float:
    """The time of an action in seconds; the device is waited for."""
    began = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
