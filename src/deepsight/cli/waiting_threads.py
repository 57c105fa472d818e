"""How PyTorch's threads wait for one another: they spin on an idle machine, and sleep beside other work."""

import os
import time
from collections.abc import Collection, Mapping, MutableMapping
from pathlib import Path

STAT = Path("/proc/stat")
LOOK = 0.06  # seconds between two readings; the system counts in hundredths
BUSY = 0.25  # share of the time of this process's cores that other work takes, from which threads sleep
SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")

Ticks = Mapping[int, tuple[int, int]]  # by core: ticks of ordinary work, and all ticks


def choose_waiting(environment: MutableMapping[str, str]) -> None:
    """Let threads sleep while they wait where other programs want the cores.

    Must run before anything loads PyTorch. What the user has set stays, and where the system does not say how
    busy it is, nothing is set. Why: docs/decisions/0080-threads-that-sleep.md.
    """
    if any(name in environment for name in SETTINGS) or not STAT.exists():
        return
    before = core_ticks(STAT.read_text())
    time.sleep(LOOK)
    if busy_share(before, core_ticks(STAT.read_text()), os.sched_getaffinity(0)) >= BUSY:
        environment["OMP_WAIT_POLICY"] = "PASSIVE"


def core_ticks(stat: str) -> dict[int, tuple[int, int]]:
    """The ticks of ordinary work, and all ticks since the start, by core, from the text of /proc/stat.

    Work at low priority does not count as ordinary: it makes room.
    """
    found = {}
    for line in stat.splitlines():
        name, *counts = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, idle, iowait, *rest = map(int, counts[:8])
            found[int(name[3:])] = (
                user + system + sum(rest),
                user + nice + system + idle + iowait + sum(rest),
            )
    return found


def busy_share(before: Ticks, after: Ticks, cores: Collection[int]) -> float:
    """The share of the time of these cores that ordinary work took between two readings, 0 to 1."""
    seen = [core for core in cores if core in before and core in after]
    work, everything = (sum(after[core][i] - before[core][i] for core in seen) for i in (0, 1))
    return work / everything if everything > 0 else 0.0
