"""How PyTorch's threads wait for one another: spinning on an idle machine, sleeping on a busy one."""

import os
import time
from collections.abc import Collection, Mapping, MutableMapping
from pathlib import Path

STAT = Path("/proc/stat")
LOOK = 0.06  # seconds between two readings; the system counts in hundredths
BUSY = 0.25  # share of this process's cores taken by other work, from which threads sleep
SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")

Ticks = Mapping[int, tuple[int, int]]  # by core: ticks of ordinary work, and all ticks


def choose_waiting(environment: MutableMapping[str, str]) -> None:
    """Set OMP_WAIT_POLICY to PASSIVE if other programs keep this process's cores busy.

    Must run before anything loads PyTorch. The user's own setting stays, and nothing is set on systems
    without /proc/stat. Why: docs/decisions/0080-threads-that-sleep.md.
    """
    if any(name in environment for name in SETTINGS) or not STAT.exists():
        return
    before = core_ticks(STAT.read_text())
    time.sleep(LOOK)
    if busy_share(before, core_ticks(STAT.read_text()), os.sched_getaffinity(0)) >= BUSY:
        environment["OMP_WAIT_POLICY"] = "PASSIVE"


def core_ticks(stat: str) -> dict[int, tuple[int, int]]:
    """By core: ticks of ordinary work and all ticks since boot, from the text of /proc/stat.

    Work at low priority (nice) does not count as ordinary: it yields.
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
    """The share of these cores' time that ordinary work took between two readings, 0 to 1."""
    seen = [core for core in cores if core in before and core in after]
    work, everything = (sum(after[core][i] - before[core][i] for core in seen) for i in (0, 1))
    return work / everything if everything > 0 else 0.0
