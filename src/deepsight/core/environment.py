"""The machine that a study runs on, as environment.json describes it."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from deepsight.core.files.windows import peak_working_set

PACKAGES = ("torch", "timm", "numpy", "scikit-learn", "polars", "albumentations", "deepsight-forensics")


def environment() -> dict[str, Any]:
    """The content of environment.json: versions, processor, cores, threads and accelerator."""
    return {
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def processor(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model name, with CPU family and model number where the system reports them.

    Rented machines often report little more than the vendor, and two processors of one name may differ in
    speed by a factor of two.
    """
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    reported = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "model name" not in reported:
        return platform.processor() or platform.machine()
    numbers = ", ".join(f"{name} {reported[name]}" for name in ("cpu family", "model") if name in reported)
    return f"{reported['model name']} ({numbers})" if numbers else reported["model name"]


def peak_rss_mb() -> float:
    """The peak resident memory of this process, in megabytes.

    Linux reports it in /proc and Windows through its own API. On other systems `getrusage` is used, whose
    peak may start at that of the parent process.
    """
    peak = memory_mb("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:  # Windows
        return round(peak_working_set() / 1e6, 1)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1e6 if sys.platform == "darwin" else 1e3), 1)


def rss_mb() -> float:
    """The resident memory of this process, in megabytes; its peak where the system does not report it."""
    now = memory_mb("VmRSS")
    return peak_rss_mb() if now is None else now


def machine_mb() -> float:
    """The memory of the machine, in megabytes; infinite where the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (AttributeError, OSError, ValueError):  # not a POSIX system, or one without these names
        return float("inf")


def memory_mb(name: str) -> float | None:
    """An entry of /proc/self/status, such as "VmRSS", in megabytes; None outside Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return round(int(line.split()[1]) / 1e3, 1)
    return None
