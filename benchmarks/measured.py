"""What a part of a benchmark takes: seconds, processor time, and memory at its peak. Shared by benchmarks.

Memory means the part that no file backs (RssAnon), sampled twenty times a second.
"""

import resource
import threading
import time
from collections.abc import Callable
from typing import Any

from deepsight.core.environment import memory_mb

STEP = 0.05  # seconds between two looks at the memory


def measured(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What some work found, its seconds, and its peak memory beside that before it began."""
    before, peak, done = memory_mb("RssAnon") or 0.0, [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(STEP):
            peak[0] = max(peak[0], memory_mb("RssAnon") or 0.0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, used = time.perf_counter(), processor_seconds()
    try:
        found = work()
    finally:
        seconds, used = time.perf_counter() - began, processor_seconds() - used
        done.set()
        watcher.join()
    return {
        "seconds": round(seconds, 2), "processor_seconds": round(used, 2), "before_mb": round(before),
        "peak_mb": round(peak[0]), **found,
    }  # fmt: skip


def processor_seconds() -> float:
    """Of this process and of its finished children; Ray's workers belong to another process."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in usages)
