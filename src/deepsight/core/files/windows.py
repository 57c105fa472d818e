"""What differs on Windows: replacing open files, locks, processes, memory, and device names."""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar

PAUSES = (0.01, 0.05, 0.1, 0.3, 1.0)  # seconds between tries; virus scanners hold new files for about as long
# Device names: no file can have one of them, with any suffix.
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
LOCKED_BYTE = 2**30  # far beyond the content, which other processes can still read
SYNCHRONIZE = 0x00100000  # the right to wait for a process
STILL_RUNNING = 258  # WAIT_TIMEOUT: what waiting for a live process gives


def is_windows() -> bool:
    """Whether this is Windows."""
    return os.name == "nt"


def replace_file(source: Path, target: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Replace a file by another.

    Windows refuses while any program has the target open, as virus scanners briefly do, so it is retried for
    a second and a half. Other systems do not refuse for this reason.

    Raises:
        OSError: the system still refuses.
    """
    for pause in PAUSES if is_windows() else ():
        try:
            source.replace(target)
        except PermissionError:
            sleep(pause)
        else:
            return
    source.replace(target)


def is_device(name: str) -> bool:
    """Whether Windows takes a file name for a device: "nul", "con.png", "COM1"."""
    return name.partition(".")[0].rstrip(" ").lower() in DEVICES


def try_lock(file: IO[Any]) -> bool | None:
    """Lock a file for this process without waiting: whether it worked; None where files cannot be locked.

    The system releases the lock when the process ends, however it ends.
    """
    try:
        import msvcrt
    except ImportError:
        return None
    locking, mode = getattr(msvcrt, "locking", None), getattr(msvcrt, "LK_NBLCK", None)
    if locking is None:
        return None
    place = file.tell()
    file.seek(LOCKED_BYTE)
    try:
        locking(file.fileno(), mode, 1)
    except OSError:
        return False
    finally:
        file.seek(place)
    return True


def is_process_running(process: int) -> bool:
    """Whether a process is alive, on Windows, where `os.kill(process, 0)` would send it Ctrl-C."""
    kernel = windows_library("kernel32")
    if kernel is None:
        return True
    handle = kernel.OpenProcess(SYNCHRONIZE, False, process)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == STILL_RUNNING)
    finally:
        kernel.CloseHandle(handle)


def peak_working_set() -> int:
    """The peak memory of this process in bytes, on Windows; 0 where it is not available."""
    kernel = windows_library("kernel32")
    if kernel is None:
        return 0
    counters = MemoryCounters(size=ctypes.sizeof(MemoryCounters))
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    known = kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size)
    return int(counters.peak) if known else 0


class MemoryCounters(ctypes.Structure):
    """The fields of PROCESS_MEMORY_COUNTERS of the Windows API that are read here."""

    _fields_: ClassVar = [
        ("size", ctypes.c_uint32), ("faults", ctypes.c_uint32), ("peak", ctypes.c_size_t),
        ("others", ctypes.c_size_t * 7),
    ]  # fmt: skip


def windows_library(name: str) -> Any:
    """A Windows system library by name; None on other systems."""
    loader = getattr(ctypes, "windll", None)
    return None if loader is None else getattr(loader, name)
