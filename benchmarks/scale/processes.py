"""The memory of other processes, and a Ray cluster of this machine in processes of its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

STEP = 0.2  # seconds between two looks
STARTS = 4  # of Ray
# The command `ray`, which waits longer for its own processes than the 30 seconds that it has by itself.
START = """
from deepsight.workflows.passes.ray_start import patient_start, ray_library
ray_library()
from ray.scripts.scripts import main
with patient_start():
    main()
"""
OBJECT_STORE = 300_000_000  # bytes of memory that the workers of the cluster share


@dataclass
class Watched:
    """The peaks of processes by their role, in megabytes (RssAnon), and the workers that exceeded the bound.

    Attributes:
        bound: megabytes of one worker; a worker above it is killed.
        driver: process id of the command; None where none runs.
        raylet: process id of Ray's own process, the parent of the workers; None without Ray.
        peaks: by role: driver, worker (the largest one), ray (the largest of Ray's own processes).
        used: seconds of processor time by process id.
        exceeded: workers that were killed because they exceeded the bound.
    """

    bound: float
    driver: int | None = None
    raylet: int | None = None
    peaks: dict[str, float] = field(default_factory=dict)
    used: dict[int, float] = field(default_factory=dict)
    exceeded: int = 0

    def look(self) -> None:
        """One look at all processes."""
        for pid in processes():
            role = self.role_of(pid)
            used = anonymous_mb(pid) if role else 0.0
            if role:
                self.peaks[role] = max(self.peaks.get(role, 0.0), used)
                self.used[pid] = max(self.used.get(pid, 0.0), processor_seconds(pid))
            if role == "worker" and used > self.bound:
                self.exceeded += 1
                kill(pid)

    def role_of(self, pid: int) -> str | None:
        """What a process is to this benchmark; None for a stranger."""
        if pid == self.driver:
            return "driver"
        if self.raylet is not None and pid == self.raylet:
            return "ray"
        if self.raylet is not None and parent_of(pid) == self.raylet:
            return "worker" if command_of(pid).startswith("ray::") else "ray"
        return None

    def workers(self) -> list[int]:
        """The workers that carry out a pass."""
        return [
            pid for pid in processes() if self.role_of(pid) == "worker" and "BlockWorker" in command_of(pid)
        ]


@contextmanager
def watching(watched: Watched) -> Iterator[None]:
    """Look again and again until the end; an error of a look is raised there, so that no figure is half."""
    done = threading.Event()
    failed: list[Exception] = []

    def watch() -> None:
        try:
            while not done.wait(STEP):
                watched.look()
        except Exception as error:
            failed.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    if failed:
        raise failed[0]


@contextmanager
def local_cluster(workers: int, folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """A Ray cluster of this machine in its own processes: its address, and the process id of its raylet."""
    before = set(processes())
    port = free_port()
    command = [
        sys.executable, "-c", START, "start", "--head", f"--num-cpus={workers}", f"--port={port}",
        "--include-dashboard=false", f"--object-store-memory={OBJECT_STORE}", f"--temp-dir={folder}",
        "--disable-usage-stats",
    ]  # fmt: skip
    for attempt in range(STARTS):
        if subprocess.call(command, env=dict(environment), stdout=subprocess.DEVNULL) == 0:
            break
        end_of(before, folder)
        if attempt == STARTS - 1:
            raise SystemExit(f"Ray did not start {STARTS} times.")
    try:
        (raylet,) = [
            pid for pid in processes()
            if command_of(pid).split("\0")[0].endswith("raylet") and str(folder) in command_of(pid)
        ]  # fmt: skip
        yield f"127.0.0.1:{port}", raylet
    finally:
        end_of(before, folder)


def end_of(before: set[int], folder: Path) -> None:
    """End the processes that name the folder of a cluster and began later, and their children."""
    own = {pid for pid in set(processes()) - before if str(folder) in command_of(pid)}
    own |= {pid for pid in processes() if parent_of(pid) in own}
    for pid in own:
        kill(pid)
    while any(Path(f"/proc/{pid}/stat").exists() and state_of(pid) != "Z" for pid in own):
        time.sleep(STEP)


def processes() -> list[int]:
    """The process ids of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def anonymous_mb(pid: int) -> float:
    """Memory of a process that no file backs, in megabytes; 0 where it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1e3
    return 0.0


def command_of(pid: int) -> str:
    """The command line of a process, its words separated by zeros; empty where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def parent_of(pid: int) -> int:
    """The process id of the parent; 0 where the process is gone."""
    about = stat_of(pid)
    return int(about[1]) if about else 0


def state_of(pid: int) -> str:
    """The state of a process as the kernel abbreviates it; Z where it is gone."""
    about = stat_of(pid)
    return about[0] if about else "Z"


def stat_of(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return []


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor, in seconds; 0 where it is gone."""
    about = stat_of(pid)
    return sum(map(int, about[11:13])) / os.sysconf("SC_CLK_TCK") if about else 0.0


def kill(pid: int) -> None:
    """End a process at once, as the kernel does when memory runs out."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
