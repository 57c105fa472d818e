"""Files that are either whole or absent: whoever reads one never sees half of it."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.errors import DeepSightError


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; it takes the target's place only when the block succeeds.

    The temporary file is removed on any error, an interrupt included. What a killed process leaves
    behind has a name that no reader looks for.

    Raises:
        DeepSightError: the folder cannot be written to, or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise cannot_write(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(target: Path, error: OSError) -> DeepSightError:
    """The sentence for a write that the operating system refused."""
    return DeepSightError(
        f"Expected to write {target}, but the system said: {error.strerror or error}. "
        "Free some space or choose a folder that you may write to. Nothing half-written was left."
    )


def write_text(target: Path, text: str) -> None:
    """Write a text file whole."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Write JSON whole, keys in the order given, so that two equal contents are equal files."""
    write_text(target, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_npz(target: Path, **arrays: np.ndarray) -> None:
    """Write named arrays whole, uncompressed so that they can be memory-mapped."""
    with atomic_path(target) as path, path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
