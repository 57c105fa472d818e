"""Runs a command under a fault, and judges what became of it."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

SUPPORT = Path(__file__).parents[1]
# What no user may read: these count as crashes, whatever the status.
CRASHES = ("this is a bug", "Traceback", "Aborted", "Segmentation fault", "terminate called", "panicked")
OUTCOMES = ("refused", "healed", "same", "wrong", "crashed")


@dataclass(frozen=True)
class Fault:
    """What a command has to live with.

    Attributes:
        at, how: the fault at a commit point; see `hooks.install`.
        points: a file that receives the names of the commit points.
        signal: that it receives, 0 for none.
        after: seconds from the start to the signal.
        limits: resource limits by name, such as {"NOFILE": 40}.
        encoding: of its output.
        environment: variables.
        stdout, stdin: files in place of its output and its input.
    """

    at: int = 0
    how: str = ""
    points: str = ""
    signal: int = 0
    after: float = 0.0
    limits: Mapping[str, int] = field(default_factory=dict)
    encoding: str = "utf-8"
    environment: Mapping[str, str] = field(default_factory=dict)
    stdout: str = ""
    stdin: str = os.devnull


NONE = Fault()


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status; minus the number of the signal that killed it.
        stdout, stderr: what it said.
        seconds: that it took.
        sent: whether the signal was sent before it ended.
        late: whether it was killed because it did not end.
    """

    status: int
    stdout: str
    stderr: str
    seconds: float
    sent: bool
    late: bool

    @property
    def crashed(self) -> bool:
        """Whether it ended as no command may: by itself with a signal, not at all, or with a traceback."""
        died = self.status < 0 and not self.sent
        return died or self.late or any(sign in self.stdout + self.stderr for sign in CRASHES)

    @property
    def last_line(self) -> str:
        """What it said last."""
        lines = self.stderr.strip().splitlines()
        return lines[-1] if lines else ""


class Runner:
    """A server process that runs commands; use it as a context manager."""

    def __init__(self, *, seconds: float = 120.0) -> None:
        self._seconds = seconds

    def __enter__(self) -> "Runner":
        path = os.pathsep.join([str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._server = subprocess.Popen(
            [sys.executable, "-m", "faulty.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1"},
        )  # fmt: skip
        assert self._server.stdout is not None
        if self._server.stdout.readline() != "ready\n":
            raise RuntimeError("The server of the fault tests did not start.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def run(self, folder: Path, *command: str | Path, fault: Fault = NONE) -> Ended:
        """Run a command of DeepSight in this folder, whose `cache` is its cache."""
        return self.run_together(folder, command, fault=fault)[0]

    def run_together(self, folder: Path, *commands: Sequence[str | Path], fault: Fault = NONE) -> list[Ended]:
        """Run several commands at once; how they ended, in their order."""
        requests = [request_of(folder, command, fault, self._seconds) for command in commands]
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(requests), file=self._server.stdin, flush=True)
        replies = json.loads(self._server.stdout.readline())
        return [ended_of(asked, told, fault) for asked, told in zip(requests, replies, strict=True)]


def request_of(folder: Path, command: Sequence[str | Path], fault: Fault, seconds: float) -> dict[str, Any]:
    """What the server is asked for one command."""
    mark = secrets.token_hex(4)
    return {
        "command": list(map(str, command)), "folder": str(folder), "seconds": seconds,
        "signal": fault.signal, "after": fault.after, "limits": dict(fault.limits),
        "encoding": fault.encoding, "stdin": fault.stdin, "stderr": str(folder / f".stderr-{mark}"),
        "stdout": fault.stdout or str(folder / f".stdout-{mark}"),
        "environment": {
            "DEEPSIGHT_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1", **fault.environment
        },
        "fault": {"at": fault.at, "how": fault.how, "points": fault.points},
    }  # fmt: skip


def ended_of(request: Mapping[str, Any], reply: Mapping[str, Any], fault: Fault) -> Ended:
    """How a command ended, by the server's reply and the files with its words, without the folder's name."""
    stdout, stderr = (
        text_of(Path(request[name]), fault.encoding).replace(request["folder"], "FOLDER")
        for name in ("stdout", "stderr")
    )
    planned = fault.how in ("before", "after") and reply["status"] == -9
    return Ended(
        reply["status"], stdout, stderr, reply["seconds"], reply["sent"] or planned, reply["late"]
    )  # fmt: skip


def text_of(path: Path, encoding: str) -> str:
    """What a file says, which is removed; empty where it is a device or was never made."""
    if not path.is_file():
        return ""
    text = path.read_text(encoding=encoding, errors="replace")
    path.unlink()
    return text


@dataclass
class Tally:
    """What became of all attempts, by kind of fault.

    Attributes:
        counts: number of each outcome by kind.
        bad: the case and its words for every wrong or crashed attempt.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)

    def add(self, kind: str, case: str, outcome: str, said: str = "") -> None:
        """Count one attempt."""
        self.counts.setdefault(kind, Counter())[outcome] += 1
        if outcome in ("wrong", "crashed"):
            self.bad.append(f"{kind} | {case} | {outcome} | {said}")

    def merge(self, other: "Tally") -> None:
        """Add the attempts of another tally."""
        for kind, counts in other.counts.items():
            self.counts.setdefault(kind, Counter()).update(counts)
        self.bad += other.bad

    def rows(self) -> list[dict[str, Any]]:
        """One row per kind: tried, and the number of each outcome."""
        return [
            {"fault": kind, "tried": counts.total(), **{name: counts[name] for name in OUTCOMES}}
            for kind, counts in self.counts.items()
        ]


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table, with their sums."""
    names = ("fault", "tried", *OUTCOMES)
    total = {name: sum(row[name] for row in rows) for name in names[1:]} | {"fault": "all"}
    lines = [names, ["---"] * len(names), *([row[name] for name in names] for row in (*rows, total))]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
