"""The class folders of a data set, optionally within folders for train, val and test."""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.obtain.decoding.decode import name_as_text
from deepsight.obtain.local_file import is_picture
from deepsight.obtain.other_layouts import container_advice, layout_advice
from deepsight.obtain.readers.folder_walk import ImageFiles, is_run, list_images, subfolders
from deepsight.obtain.readers.part_names import part_of_name
from deepsight.obtain.skipped_items import PassedOver, first_few

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
