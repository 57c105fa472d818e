"""Locks that admit one process at a time to a run folder; the system releases them when the process ends."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import remove_leftovers
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.files.windows import try_lock

LOCK = ".lock"
held: dict[Path, int] = {}  # how often this process holds each lock: locks are re-entrant


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder inside this block, and remove what killed processes left half-written.

    Raises:
        DeepSightError: another process holds it; the message names that process.
    """
    place = folder.resolve()
    if place in held:
        held[place] += 1
        try:
            yield
        finally:
            held[place] -= 1
        return
    with open_lock(folder) as file:
        take(file, folder)
        held[place] = 1
        try:
            remove_leftovers(folder)
            yield
        finally:
            del held[place]


def open_lock(folder: Path) -> IO[str]:
    """The open lock file of a folder.

    Raises:
        DeepSightError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise cannot_write(folder, error) from error


def take(file: IO[str], folder: Path) -> None:
    """Take the lock and write into its file which process holds it.

    Raises:
        DeepSightError: another process holds it.
    """
    free = is_free(file)
    if free is None:
        return
    if not free:
        file.seek(0)
        raise DeepSightError(
            f"Expected to work in {folder} alone, but {owner_of(file.read())} is working in it. "
            "Wait until it ends, or choose another --out."
        )
    file.truncate(0)
    json.dump(about_this_process(), file)
    file.flush()


def is_free(file: IO[str]) -> bool | None:
    """Try to take the lock: whether it worked; None where the system or the file system has no locks."""
    try:
        import fcntl
    except ImportError:  # Windows has no POSIX locks
        return try_lock(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def about_this_process() -> dict[str, Any]:
    """The description of this process that the lock file holds."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    return {
        "process": os.getpid(), "machine": socket.gethostname(), "command": command,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }  # fmt: skip


def owner_of(text: str) -> str:
    """The process that a lock file describes, in words."""
    try:
        about = json.loads(text)
        return (
            f"process {about['process']} on {about['machine']} ({about['command']}, since {about['since']})"
        )
    except (ValueError, KeyError, TypeError):
        return "another process"
