"""Images in folders: one folder per class, optionally within train, val and test folders."""

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.errors import UsageError
from deepsight.core.progress import Log
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.listed_data import obtain_listed
from deepsight.obtain.local_file import read_local_file, user_path
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.other_layouts import ARCHIVES
from deepsight.obtain.readers.class_folders import (
    ClassFolders,
    by_inner_parts,
    class_folders,
    class_name,
    shared_subfolders,
)
from deepsight.obtain.readers.metadata import (
    FILE_NAME,
    GROUP,
    find_column,
    groups_and_rest,
    read_metadata,
    rows_of_files,
)
from deepsight.obtain.skipped_items import PassedOver, first_few

OPTIONS = ("side", "fit", "group")


def load_folder(
    address: DataAddress, *, resolution: int | None, judge: FitJudge | None = None, log: Log
) -> Obtained:
    """The images of a folder, decoded once into the cache.

    Raises:
        UsageError: the folder does not exist, or its layout is ambiguous.
        DeepSightError: it holds too few classes or images, or the cache cannot be written to.
    """
    root, passed_over = folder_of(address), PassedOver()
    folders = class_folders(root, passed_over)
    same = shared_subfolders(folders)
    if parted := by_inner_parts(folders, same):
        folders = parted
        log(f"Each class folder holds the folders {first_few(same)}, which are read as its parts.")
    elif same:
        log(
            f"The class folders ({first_few(folders.classes)}) hold no pictures themselves, but folders of "
            f"the same names ({first_few(same)}). If these are the classes, list the files and their labels "
            "in a table: --data table:FILE.csv"
        )
    listings = folder_listings(folders, address, passed_over, log=log)
    key = folder_fingerprint(root, [name for part in sorted(listings) for name in folders.files[part].names])
    return obtain_listed(
        f"folder:{root}", address, listings, folders.classes, key=key, options=OPTIONS,
        passed_over=passed_over, resolution=resolution, judge=judge, log=log,
    )  # fmt: skip


def folder_of(address: DataAddress) -> Path:
    """The folder at an address.

    Raises:
        UsageError: it does not exist.
    """
    root = user_path(address.place).resolve()
    if not root.is_dir():
        packed = " Unpack it, and name the folder." if root.suffix.lower() in ARCHIVES else ""
        raise UsageError(f"Expected a folder with one folder per class, received '{address.place}'.{packed}")
    return root


def folder_listings(
    folders: ClassFolders, address: DataAddress, passed_over: PassedOver, *, log: Log
) -> dict[str, Listing]:
    """By part, the files with their classes, groups and metadata."""
    root, files = folders.root, folders.files
    metadata = read_metadata(root, list(folders.places.values()), log=log)
    positions = {name: i for i, name in enumerate(folders.classes)}
    everything = [name for listed in files.values() for name in listed.names]
    table = None if metadata is None else rows_of_files(metadata, everything, passed_over)
    found, start = {}, 0
    for part, listed in files.items():
        stop = start + len(listed.names)
        groups, rest = (None, None) if table is None else grouped(table[start:stop], address)
        labels = np.array([positions[class_name(name)] for name in listed.classes], dtype=np.int64)
        read = partial(read_below, root, listed.names)
        found[part], start = Listing(listed.names, labels, read, groups, rest), stop
    return found


def grouped(table: pl.DataFrame, address: DataAddress) -> tuple[list[str] | None, pl.DataFrame | None]:
    """The groups and the metadata of the files of a part, from the rows of a metadata table."""
    group = find_column(table, "group", address.options.get("group"), (GROUP,), needed=False)
    return groups_and_rest(table, group, (FILE_NAME,))


def read_below(root: Path, names: Sequence[str], row: int) -> bytes:
    """The bytes of a file below a folder."""
    return read_local_file(root / names[row])


def folder_fingerprint(root: Path, names: Sequence[str]) -> str:
    """SHA-256 of the path, size and modification time of each file, which changes when a file does."""
    digest = hashlib.sha256(os.fsencode(root))
    for name in names:
        digest.update(os.fsencode(name) + b"\0" + file_stamp(root / name) + b"\0")
    return digest.hexdigest()
