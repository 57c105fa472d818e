"""Faults inside a process: it is killed at a commit point, or its disk is full there."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

Replace = Callable[[Path, Any], Path]


def install(*, at: int = 0, how: str = "", points: str = "") -> None:
    """Set the fault of this process; it is over when the process is.

    Args:
        at: number of the commit point, from 1; 0 for none.
        how: "before" or "after" kills the process before or after the file takes its name, "stop" asks it to
            end there, "full" lets the disk be full when the file is to be written out.
        points: a file that receives the name of each commit point as it is reached.
    """
    typer.launch = lambda *_: 0  # type: ignore[assignment]  # no browser is opened
    count = Count(at, how, points)
    if how == "full":
        os.fsync = count.synced  # type: ignore[assignment]
    Path.replace = count.replaced(Path.replace)  # type: ignore[method-assign]


class Count:
    """Counts commit points: the renames by which files and manifests come into being."""

    def __init__(self, at: int, how: str, points: str) -> None:
        self.at, self.how, self.points = at, how, points
        self.renames, self.writes = 0, 0

    def replaced(self, replace: Replace) -> Replace:
        """`Path.replace` that counts, and fails where it shall."""

        def counted(path: Path, target: Any) -> Path:
            self.renames += 1
            if self.points:
                with open(self.points, "a", encoding="utf-8") as file:
                    print(os.path.relpath(target), file=file)
            here = self.renames == self.at
            if here and self.how == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if here and self.how == "stop":
                os.kill(os.getpid(), signal.SIGTERM)
            made = replace(path, target)
            if here and self.how == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return made

        return counted

    def synced(self, _: int) -> None:
        """`os.fsync` on a disk that has no room from some write on."""
        self.writes += 1
        if self.writes >= self.at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
