"""The cache of decoded images on the user's disk: memory-mapped arrays, written atomically."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.files.atomic import atomic_path, remove_leftovers
from deepsight.core.files.damage import DAMAGE
from deepsight.obtain.local_file import user_path
from deepsight.obtain.obtained import Part
from deepsight.obtain.sources import SourceError

MOST_DECODED_BYTES = 6_000_000_000  # of decoded images; the least recently used are removed first


def cache_folder() -> Path:
    """The folder for DeepSight's data: $DEEPSIGHT_CACHE, or `deepsight` in the platform's cache folder."""
    if own := os.environ.get("DEEPSIGHT_CACHE"):
        return user_path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return user_path(shared) / "deepsight"
    return platform_cache() / "deepsight"


def platform_cache() -> Path:
    """Where programs keep caches on this operating system."""
    if sys.platform == "darwin":
        return user_path("~/Library/Caches")
    if sys.platform == "win32":
        return user_path(os.environ.get("LOCALAPPDATA", "~/AppData/Local"))
    return user_path("~/.cache")


def keep_within(folder: Path, *, limit: int, using: Path) -> None:
    """Remove the least recently used entries of a cache until it takes at most `limit` bytes.

    A process that has a removed file open can go on reading it. The entry `using` stays, however large it is.
    """
    remove_leftovers(folder)
    entries = sorted(entries_of(folder))
    used = sum(size for _, size, _ in entries)
    for _, size, entry in entries:
        if used > limit and entry != using:
            shutil.rmtree(entry, ignore_errors=True)
            used -= size


def entries_of(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """The time of last use, the size in bytes and the folder of each entry of a cache."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # another process may remove it meanwhile
            sizes = [file.stat().st_size for file in entry.iterdir()]
            yield entry.stat().st_mtime, sum(sizes), entry


def note_use(entry: Path) -> None:
    """Mark an entry of a cache as used now, unless it is read-only."""
    with suppress(OSError):
        os.utime(entry)


def save_array(target: Path, array: NDArray[np.generic]) -> None:
    """Write an array as .npy in C order, atomically.

    The bytes go through the file object, because `np.save` hides the system's reason for a failed write.

    Raises:
        DeepSightError: the folder cannot be written to, or the disk is full.
    """
    with atomic_path(target) as path, path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)


def map_array(path: Path) -> NDArray[Any]:
    """Memory-map a .npy file for reading.

    Raises:
        SourceError: it is absent, or not a complete .npy file of numbers.
    """
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise SourceError(f"nothing is stored yet in {path.parent}") from error
    except DAMAGE as error:
        raise SourceError(f"{path} is damaged ({error})") from error
    return mapped


def save_part(folder: Path, name: str, part: Part) -> None:
    """Write the images and labels of a part."""
    save_array(folder / f"{name}_images.npy", np.asarray(part.images, dtype=np.uint8))
    save_array(folder / f"{name}_labels.npy", part.labels.astype(np.int64))


def map_part(folder: Path, name: str) -> Part:
    """Memory-map what `save_part` wrote; its digests are not checked here."""
    images = map_array(folder / f"{name}_images.npy")
    labels = map_array(folder / f"{name}_labels.npy")
    return Part(images, labels.astype(np.int64))


def file_stamp(path: Path) -> bytes:
    """The size and modification time of a file; empty if there is none."""
    try:
        about = path.stat()
    except (OSError, ValueError):  # ValueError: a name with a null byte
        return b""
    return f"{about.st_size}/{about.st_mtime_ns}".encode()
