"""Images in folders: one folder per class, optionally within train, val and test folders."""

import hashlib
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.decode import Listing, name_as_text
from deepsight.obtain.listed_data import obtain_listed
from deepsight.obtain.local_file import is_picture, read_local_file, user_path
from deepsight.obtain.other_layouts import ARCHIVES, container_advice, layout_advice
from deepsight.obtain.readers.folder_walk import ImageFiles, is_run, list_images, subfolders
from deepsight.obtain.readers.metadata import (
    FILE_NAME,
    GROUP,
    find_column,
    groups_and_rest,
    read_metadata,
    rows_of_files,
)
from deepsight.obtain.readers.part_names import part_of_name
from deepsight.obtain.skipped_items import PassedOver, first_few
from deepsight.obtain.sources import Obtained

OPTIONS = ("side", "fit", "group")
ONE_FOLDER_PER_CLASS = (
    "Put the images of each class in a folder of its own, or name a table of files and labels: "
    "--data table:FILE.csv"
)


@dataclass(frozen=True)
class ClassFolders:
    """The class folders by part.

    Attributes:
        root: the data set's folder, with links resolved.
        places: the folder of each part; the root as "all" if there are no parts.
        files: the files of each part.
        classes: names of the classes of all parts, sorted.
    """

    root: Path
    places: Mapping[str, Path]
    files: Mapping[str, ImageFiles]
    classes: tuple[str, ...]


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
    listings = folder_listings(folders, address, passed_over)
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


def class_folders(root: Path, passed_over: PassedOver) -> ClassFolders:
    """The parts of a folder with the files of their classes.

    Raises:
        DeepSightError: there are fewer than two classes.
    """
    places = part_folders(root, passed_over)
    files = {part: list_images(root, place, passed_over) for part, place in places.items()}
    places, files = without_unlabelled_parts(places, files, passed_over)
    classes = sorted({class_name(name) for listed in files.values() for name in listed.folders})
    if len(classes) < 2:
        inside = [place / name for place in places.values() for name in classes if (place / name).is_dir()]
        deeper = [folder for folder in inside if len(subfolders(root, folder, PassedOver())) > 1]
        hint = f"If they lie in {deeper[0].name}, name it: --data folder:{deeper[0]} ." if deeper else ""
        raise DeepSightError(
            f"Expected at least two class folders in {root}, received {classes}. "
            + (hint or layout_advice(root) or ONE_FOLDER_PER_CLASS)
        )
    folders = ClassFolders(root, places, files, tuple(classes))
    if holds_other_files(folders) and (advice := container_advice(root)):
        raise DeepSightError(f"Expected pictures in the folders {first_few(classes)} of {root}. {advice}")
    return folders


def holds_other_files(folders: ClassFolders) -> bool:
    """Whether no file is a picture by its name, or the classes are called images and labels."""
    names = (name for listed in folders.files.values() for name in listed.names)
    return {*folders.classes} == {"images", "labels"} or not any(is_picture(name) for name in names)


def without_unlabelled_parts(
    places: Mapping[str, Path], files: Mapping[str, ImageFiles], passed_over: PassedOver
) -> tuple[dict[str, Path], dict[str, ImageFiles]]:
    """The parts but those of pictures without class folders, as competitions give their test images."""
    flat = {
        part: pictures
        for part, place in places.items()
        if part not in ("all", "train") and not files[part].folders and (pictures := pictures_in(place))
    }
    for part, pictures in flat.items():
        passed_over.add_all(f"pictures of {part} without a class folder", pictures)
    kept = {part: listed for part, listed in files.items() if part not in flat}
    names = {"train": "all"} if list(kept) == ["train"] else {}
    return (
        {names.get(part, part): places[part] for part in kept},
        {names.get(part, part): listed for part, listed in kept.items()},
    )


def pictures_in(folder: Path) -> list[str]:
    """The names of the pictures that lie in a folder itself."""
    return sorted(name_as_text(i.name) for i in folder.iterdir() if is_picture(i.name) and i.is_file())


def shared_subfolders(folders: ClassFolders) -> list[str]:
    """The subfolders that all class folders share, if they hold several of them and no files, else empty."""
    inside: dict[str, set[str]] = {}
    for part, listed in folders.files.items():
        depth = len(folders.places[part].relative_to(folders.root).parts) + 1
        for name, label in zip(listed.names, listed.classes, strict=True):
            below = name.split("/")[depth:]
            inside.setdefault(label, set()).add(below[0] if len(below) > 1 else "")
    first, *others = list(inside.values()) or [set[str]()]
    shared = len(first) > 1 and "" not in first and others and all(other == first for other in others)
    return sorted(map(name_as_text, first)) if shared else []


def by_inner_parts(folders: ClassFolders, inner: Sequence[str]) -> ClassFolders | None:
    """The class folders by part if each holds the folders of the parts, as in `cat/train`; None if not.

    Args:
        folders: the class folders, without parts.
        inner: the subfolders that all of them share.
    """
    parts = {name: str(part_of_name(name)) for name in inner}
    if [*folders.files] != ["all"] or "train" not in parts.values() or "None" in parts.values():
        return None
    if len({*parts.values()}) < len(parts):
        return None
    files = {part: files_inside(folders.files["all"], name) for name, part in parts.items()}
    return ClassFolders(folders.root, dict.fromkeys(files, folders.root), files, folders.classes)


def files_inside(listed: ImageFiles, inner: str) -> ImageFiles:
    """The files in the subfolder of this name of each class folder of the root."""
    rows = [row for row, name in enumerate(listed.names) if name_as_text(name.split("/")[1]) == inner]
    return ImageFiles(
        [listed.names[row] for row in rows], [listed.classes[row] for row in rows], listed.folders
    )


def part_folders(root: Path, passed_over: PassedOver) -> dict[str, Path]:
    """The folder of each part, or the root as "all".

    Raises:
        UsageError: folders of parts and of classes are side by side, or there is no train folder.
    """
    inside = subfolders(root, root, PassedOver())  # counted where the root is listed, or below
    parts = folders_of_parts(inside)
    if not any(subfolders(root, folder, PassedOver()) for folder in parts.values()):
        require_classes_in_parts(root, inside, parts)
        return {"all": root}  # a class may be named "train"
    beside = [item for item in inside if item not in parts.values() and not holds_runs(item)]
    others = [item for item in beside if holds_pictures(item)]
    there = [item.name for item in parts.values()]
    if others:
        raise UsageError(
            f"Expected class folders, or the folders train, val and test, in {root}; received {there} beside "
            f"{[name_as_text(item.name) for item in others[:5]]}. Move what does not belong there."
        )
    if "train" not in parts:
        raise UsageError(
            f"Expected a folder train in {root}, received only {there}. To use one of them as it is, name "
            f"it: --data folder:{next(iter(parts.values()))}; to examine predictions or a model on all of "
            "its images, add --split all."
        )
    subfolders(root, root, passed_over)
    passed_over.add_all("folders without pictures", [name_as_text(item.name) for item in beside])
    passed_over.add_all("pictures beside the folders train, val and test", pictures_in(root))
    parts = {part: without_repetition(root, folder) for part, folder in parts.items()}
    return without_shared_folder(root, parts)


def require_classes_in_parts(root: Path, inside: Sequence[Path], parts: Mapping[str, Path]) -> None:
    """Refuse pictures in the folders train and test themselves: these are no classes.

    Raises:
        DeepSightError: every folder is one of these.
    """
    pictures = any(pictures_in(folder) for folder in parts.values())
    if "train" in parts and 1 < len(parts) == len(inside) and pictures:
        names = first_few([name_as_text(folder.name) for folder in inside])
        raise DeepSightError(
            f"Expected class folders within {names} in {root}, received only pictures. "
            + (layout_advice(root) or ONE_FOLDER_PER_CLASS)
        )


def folders_of_parts(folders: Sequence[Path]) -> dict[str, Path]:
    """By part, the folders named after a part; names with a prefix count only if all folders have one."""
    exact = {part: item for item in folders if (part := part_of_name(item.name))}
    if exact:
        return exact
    prefixed = {part: item for item in folders if (part := part_of_name(item.name, prefixed=True))}
    return prefixed if "train" in prefixed and len(prefixed) == len(folders) else {}


def without_repetition(root: Path, folder: Path) -> Path:
    """The folder of a part, or its only subfolder if that repeats its name, as unpacked archives often do."""
    inside = subfolders(root, folder, PassedOver())
    return inside[0] if [item.name for item in inside] == [folder.name] else folder


def without_shared_folder(root: Path, parts: dict[str, Path]) -> dict[str, Path]:
    """The one folder in each part where all have the same one, such as `images`, and it holds the classes."""
    inside = [subfolders(root, folder, PassedOver()) for folder in parts.values()]
    names = {tuple(item.name for item in items) for items in inside}
    if len(parts) < 2 or len(names) > 1 or len(next(iter(names))) != 1:
        return parts
    deeper = {part: items[0] for part, items in zip(parts, inside, strict=True)}
    holds_classes = all(len(subfolders(root, folder, PassedOver())) > 1 for folder in deeper.values())
    return deeper if holds_classes else parts


def holds_pictures(folder: Path) -> bool:
    """Whether a picture lies in a folder or below it."""
    return any(is_picture(name) for _, _, names in os.walk(folder, followlinks=False) for name in names)


def holds_runs(folder: Path) -> bool:
    """Whether a folder holds runs of DeepSight and nothing else."""
    items = list(folder.iterdir())
    return bool(items) and all(item.is_dir() and is_run(item) for item in items)


def class_name(folder: str) -> str:
    """The class that a folder stands for: its name in Unicode's form NFC."""
    return unicodedata.normalize("NFC", name_as_text(folder))


def folder_listings(
    folders: ClassFolders, address: DataAddress, passed_over: PassedOver
) -> dict[str, Listing]:
    """By part, the files with their classes, groups and metadata."""
    root, files = folders.root, folders.files
    metadata = read_metadata(root, list(folders.places.values()))
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
