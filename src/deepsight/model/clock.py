"""How long something takes on this device."""

import time
from collections.abc import Callable

import numpy as np
import torch


def median_seconds(action: Callable[[], object], *, device: torch.device, times: int = 3) -> float:
    """The median time of an action in seconds, after one that is not counted; the device is waited for."""
    seconds = []
    for _ in range(1 + times):
        began = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))
