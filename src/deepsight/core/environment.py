"""The machine that a study runs on, as it stands in environment.json."""

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
    """Versions, processor, threads and accelerator."""
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
    """The processor's own name for itself, with family and model where the system tells them.

    Rented machines often hide all but the maker's name, and two of one name may differ by a factor of two.
    """
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "model name" not in told:
        return platform.processor() or platform.machine()
    numbers = ", ".join(f"{name} {told[name]}" for name in ("cpu family", "model") if name in told)
    return f"{told['model name']} ({numbers})" if numbers else told["model name"]


def peak_rss_mb() -> float:
    """Resident memory of this process at its peak, in megabytes.

    Linux says it in /proc, Windows in its own way; the resource usage that other systems give starts at the
    parent's peak.
    """
    told = memory_mb("VmHWM")
    if told is not None:
        return told
    try:
        import resource
    except ImportError:  # Windows
        return round(peak_working_set() / 1e6, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def rss_mb() -> float:
    """Resident memory of this process now, in megabytes; its peak where the system does not say."""
    told = memory_mb("VmRSS")
    return peak_rss_mb() if told is None else told


def machine_mb() -> float:
    """Memory of the machine, in megabytes; infinite where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (AttributeError, OSError, ValueError):  # not a POSIX system, or one that does not know the names
        return float("inf")


def memory_mb(name: str) -> float | None:
    """What Linux says of this process's memory under this name, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return round(int(line.split()[1]) / 1e3, 1)
    return None
