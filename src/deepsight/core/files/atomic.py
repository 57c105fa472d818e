"""Atomic files: either complete or absent, so no reader ever sees half of one."""

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.files.damage import DAMAGE
from deepsight.core.files.system_errors import cannot_write
from deepsight.core.files.windows import is_device, is_process_running, is_windows, replace_file
from deepsight.core.stop import raise_if_stopped

LONGEST_NAME = 255  # bytes of a file name on all common file systems


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; it takes the target's place only when the block succeeds.

    The temporary file is removed on any error, including a stop. Its name holds the machine and the process,
    so that `remove_leftovers` can tell which files killed processes have left. The file's mode follows the
    user's umask.

    Raises:
        DeepSightError: the folder cannot be written to, or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / part_name(target.name)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise cannot_write(target, error) from error
    try:
        yield temporary
        with temporary.open("r+b") as written:  # Windows flushes only files that are open for writing
            os.fsync(written.fileno())
        raise_if_stopped()
        replace_file(temporary, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def part_name(name: str) -> str:
    """A new temporary name for a file: .NAME.MACHINE-PROCESS-RANDOM.part."""
    mark = f".{machine()}-{os.getpid()}-{secrets.token_hex(4)}.part"
    shown = name.encode("utf-8", "surrogateescape")[: LONGEST_NAME - len(mark) - 1]
    return "." + shown.decode("utf-8", "ignore") + mark


@cache
def machine() -> str:
    """Six hexadecimal digits for this machine, since machines that share a folder reuse process ids."""
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=3).hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Remove unfinished files that killed processes of this machine left in a folder or below it."""
    for path in unfinished(folder):
        if is_leftover(path.name):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def remove_leftovers_of(target: Path) -> None:
    """Remove unfinished versions of one file that killed processes of this machine left beside it."""
    with suppress(OSError):
        for path in target.parent.iterdir():
            if path.name.startswith(f".{target.name}.") and is_part(path.name) and is_leftover(path.name):
                path.unlink(missing_ok=True)


def unfinished(folder: Path) -> Iterator[Path]:
    """The unfinished files in a folder and below it."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names if is_part(name))


def is_part(name: str) -> bool:
    """Whether a file of this name is unfinished."""
    return name.startswith(".") and name.endswith(".part")


def is_leftover(name: str) -> bool:
    """Whether the process that was writing a file of this name is gone."""
    where, _, rest = name.removesuffix(".part").rpartition(".")[2].partition("-")
    process, _, token = rest.partition("-")
    if not token:
        return is_part(name)  # written by an earlier version, without the process in the name
    return where == machine() and process.isdigit() and not is_running(int(process))


def is_running(process: int) -> bool:
    """Whether this process is alive on this machine."""
    if is_windows():
        return is_process_running(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # somebody else's process
        return True
    return True


def safe_name(text: str, *, longest: int = 60) -> str:
    """A text as part of a file name: letters, digits, dots, dashes and underscores, at most `longest`.

    If the text had to be changed, a digest of it is appended, so that different texts stay different.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:longest].strip(".") or "_"
    plain = f"_{plain}" if is_device(plain) else plain
    return plain if plain == text else f"{plain}-{digest_of(text.encode('utf-8', 'surrogatepass'))[:8]}"


def write_text(target: Path, text: str) -> None:
    """Write a text file atomically as UTF-8; characters that it cannot encode are escaped."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_bytes(target: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_path(target) as path:
        path.write_bytes(content)


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically, with keys in the given order, so that equal contents give equal files."""
    write_text(target, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_npz(target: Path, **arrays: np.ndarray) -> None:
    """Write named arrays atomically as an uncompressed .npz file."""
    with atomic_path(target) as path, path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_npz(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an .npz file; None if it is absent or damaged, for callers that can recreate it."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except DAMAGE:
        return None


def file_digest(path: Path) -> str:
    """The BLAKE2b digest of a file, 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def digest_of(content: bytes) -> str:
    """The BLAKE2b digest of some bytes, as `file_digest` computes it."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
