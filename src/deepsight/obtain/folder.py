"""Own images in folders: one folder a class, in train, val and test folders where there are such."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.crop import Unreadable
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decode import Listing, decoded_parts, printable
from deepsight.obtain.sources import Obtained
from deepsight.obtain.splits import PART_NAMES, custom_data, split_custom_data
from deepsight.obtain.stored_size import stored_side

OPTIONS = ("side",)
MOST_FILE_BYTES = 2**28


def load_folder(address: DataAddress, *, resolution: int | None, log: Log) -> Obtained:
    """The images of a folder as squares, decoded once into the cache.

    Raises:
        UsageError: the folder does not exist, or its layout has two meanings.
        DeepSightError: it holds too few classes or images, or the cache cannot be written to.
    """
    root = Path(address.place).expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"Expected a folder with one folder a class, received '{address.place}'.")
    places = part_folders(root)
    classes = class_names(root, places)
    names = {part: class_files(root, place) for part, place in places.items()}
    listings = {part: folder_listing(root, places[part], names[part], classes) for part in places}
    key = folder_fingerprint(root, [name for part in sorted(names) for name in names[part]])
    side = stored_side(address, listings, resolution=resolution, log=log)
    decoded = decoded_parts(listings, key=key, side=side, log=log)
    own = custom_data(f"folder:{root}", decoded, classes, names=names, log=log)
    return split_custom_data(own, log=log)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, by name, without hidden ones and what archivers leave."""
    found = (item for item in folder.iterdir() if item.is_dir())
    return sorted(item for item in found if not item.name.startswith((".", "__MACOSX")))


def part_folders(root: Path) -> dict[str, Path]:
    """The folder of each part, or the root as "all".

    Raises:
        UsageError: folders of parts and folders of classes stand side by side, or train is not there.
    """
    inside = subfolders(root)
    parts = {PART_NAMES[item.name.lower()]: item for item in inside if item.name.lower() in PART_NAMES}
    if not any(subfolders(folder) for folder in parts.values()):
        return {"all": root}  # a class may be named "train"
    others = [printable(item.name) for item in inside if item not in parts.values()]
    if others or "train" not in parts:
        there = [item.name for item in parts.values()]
        raise UsageError(
            f"Expected class folders, or the folders train, val and test, in {root}; "
            f"received {there} beside {others[:5]}. Move what does not belong there."
        )
    return parts


def class_name(folder: str) -> str:
    """A folder's name as the class that it stands for; the two spellings of an accent are one."""
    return unicodedata.normalize("NFC", printable(folder))


def class_names(root: Path, places: Mapping[str, Path]) -> tuple[str, ...]:
    """The classes of all parts, sorted.

    Raises:
        DeepSightError: there are fewer than two.
    """
    found = {class_name(folder.name) for place in places.values() for folder in subfolders(place)}
    if len(found) < 2:
        raise DeepSightError(
            f"Expected at least two class folders in {root}, received {sorted(found)}. "
            "Put the images of each class in a folder of its own."
        )
    return tuple(sorted(found))


def class_files(root: Path, place: Path) -> list[str]:
    """Every file in the class folders of a place, as a path below the root, sorted; hidden ones are not."""
    return sorted(name for folder in subfolders(place) for name in visible_files(root, folder))


def visible_files(root: Path, folder: Path) -> Iterator[str]:
    """The files of a folder and the folders in it."""
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(path).relative_to(root).as_posix()
        yield from (f"{below}/{name}" for name in files if not name.startswith(".") and name != "Thumbs.db")


def folder_listing(root: Path, place: Path, names: Sequence[str], classes: tuple[str, ...]) -> Listing:
    """The files with the class of the folder that each lies in."""
    positions = {name: i for i, name in enumerate(classes)}
    depth = len(place.relative_to(root).parts)
    labels = [positions[class_name(name.split("/")[depth])] for name in names]
    return Listing(names, np.asarray(labels, dtype=np.int64), partial(read_file, root, names))


def read_file(root: Path, names: Sequence[str], row: int) -> bytes:
    """The bytes of a file.

    Raises:
        Unreadable: it is a device or a pipe, which would wait without end, or it is huge.
        OSError: the system refuses.
    """
    path = root / names[row]
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise Unreadable("not a regular file")
    if about.st_size > MOST_FILE_BYTES:
        raise Unreadable(f"{about.st_size} bytes, more than {MOST_FILE_BYTES}")
    return path.read_bytes()


def folder_fingerprint(root: Path, names: Sequence[str]) -> str:
    """SHA-256 of the path, size and time of change of each file: another digest when a file changes."""
    digest = hashlib.sha256(os.fsencode(root))
    for name in names:
        digest.update(os.fsencode(name) + b"\0" + file_stamp(root / name) + b"\0")
    return digest.hexdigest()
