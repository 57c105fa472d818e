"""One process at a time in a run folder. The system frees the lock when the process ends, however it ends."""

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
held: dict[Path, int] = {}  # how often this process has taken each lock; it may take one again


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Work in a run folder alone; what killed processes left half-written in it is removed.

    Raises:
        DeepSightError: another process works in it; the message names that process.
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
    """The file whose lock stands for the folder's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise cannot_write(folder, error) from error


def take(file: IO[str], folder: Path) -> None:
    """Take the lock and write into the file who has it."""
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
    """Take the lock if nobody has it; None where the system, or a network file system, has no locks."""
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
    """What the owner of a lock says of itself."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    return {
        "process": os.getpid(), "machine": socket.gethostname(), "command": command,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }  # fmt: skip


def owner_of(text: str) -> str:
    """Who has a lock, in words."""
    try:
        about = json.loads(text)
        return (
            f"process {about['process']} on {about['machine']} ({about['command']}, since {about['since']})"
        )
    except (ValueError, KeyError, TypeError):
        return "another process"
