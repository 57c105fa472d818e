"""The files of class folders in the order of torchvision's ImageFolder; links are followed, but not loops."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepsight.obtain.decoding.decode import name_as_text
from deepsight.obtain.local_file import is_picture
from deepsight.obtain.skipped_items import PassedOver

STUDY = "study.yaml"  # identifies the folder of a run
# Folders that archivers, file servers and programs leave behind.
JUNK = (
    "__MACOSX", "@eaDir", "$RECYCLE.BIN", "#recycle", "lost+found", "System Volume Information",
    "__pycache__", "node_modules",
)  # fmt: skip
JUNK_FILES = ("Thumbs.db", "desktop.ini")
MASK_FOLDERS = (
    "mask",
    "masks",
    "segmentation",
    "segmentations",
    "annotations",
    "groundtruth",
    "ground_truth",
)
IMAGE_FOLDERS = ("image", "images", "img", "imgs")
MASK_NAME = re.compile(r"(.+)[ _-](?:mask|masks|seg|segmentation|superpixels)(?:[ _-]?\d+)?")


@dataclass(frozen=True)
class ImageFiles:
    """The files of one part.

    Attributes:
        names: (n,), paths relative to the root.
        classes: (n,), the name of the class folder of each file.
        folders: the names of the class folders, including empty ones.
    """

    names: list[str]
    classes: list[str]
    folders: list[str]


def list_images(root: Path, place: Path, passed_over: PassedOver) -> ImageFiles:
    """Every visible file in the class folders of a place, in the order of torchvision's `ImageFolder`.

    That is: classes by name, within a class folders by path, within a folder files by name. So `dog/` comes
    before `dog-wild/`, whereas sorting full paths would put it after.
    """
    names: list[str] = []
    classes: list[str] = []
    folders = []
    for folder in subfolders(root, place, passed_over):
        walk = ClassWalk(root, passed_over)
        found = [f"{directory}/{name}" for directory, name in sorted(walk.files(folder))]
        if not found and walk.met_run:
            continue  # a folder of runs is not a class
        folders.append(folder.name)
        names += found
        classes += [folder.name] * len(found)
    beside = sorted(item.name for item in place.iterdir() if is_picture(item.name) and item.is_file())
    if folders:
        passed_over.add_all("pictures beside the class folders", map(name_as_text, beside))
    return ImageFiles(names, classes, folders)


def subfolders(root: Path, folder: Path, passed_over: PassedOver) -> list[Path]:
    """The subfolders of a folder by name, without hidden ones, junk, masks, runs, and links in loops."""
    found = []
    masks = mask_folders(folder)
    for item in sorted(folder.iterdir()):
        if not item.is_dir() or item.name.startswith(".") or item.name in JUNK:
            continue
        if item.name in masks:
            passed_over.add("folders of masks beside images", below(root, item))
        elif is_run(item):
            passed_over.add("folders of DeepSight's own results", below(root, item))
        elif leads_back(root, item):
            passed_over.add("links that lead back to a folder above", below(root, item))
        else:
            found.append(item)
    return found


def mask_folders(folder: Path) -> list[str]:
    """The names of mask folders in a folder that also holds an image folder, which they belong to."""
    known = [name for name in os.listdir(folder) if name.lower() in (*IMAGE_FOLDERS, *MASK_FOLDERS)]
    folders = [name for name in known if (folder / name).is_dir()]
    images = any(name.lower() in IMAGE_FOLDERS for name in folders)
    return [name for name in folders if images and name.lower() in MASK_FOLDERS]


def mask_files(names: Sequence[str]) -> set[str]:
    """The files of a folder that are masks of others, such as `a_mask.png` beside `a.png`."""
    stems = {name.rpartition(".")[0] for name in names}
    found = {name: MASK_NAME.fullmatch(name.rpartition(".")[0]) for name in names}
    return {name for name, match in found.items() if match and match[1] in stems}


def is_run(folder: Path) -> bool:
    """Whether this is the folder of a run."""
    return (folder / STUDY).is_file()


def leads_back(root: Path, folder: Path) -> bool:
    """Whether a link leads to a folder that contains it, by its path or by its real path."""
    if not folder.is_symlink():
        return False
    real = os.path.realpath(folder)
    above = [path for path in folder.parents if path == root or root in path.parents]
    return any(os.path.commonpath([real, os.path.realpath(path)]) == real for path in above)


def below(root: Path, path: Path) -> str:
    """A path relative to the root, as text."""
    return name_as_text(path.relative_to(root).as_posix())


class ClassWalk:
    """Walks one class folder; a folder that several links lead to is visited once."""

    def __init__(self, root: Path, passed_over: PassedOver) -> None:
        self._root, self._passed_over = root, passed_over
        self._seen: set[str] = set()
        self.met_run = False

    def files(self, folder: Path) -> Iterator[tuple[str, str]]:
        """The folder, relative to the root, and the name of each file; skipped items are counted."""
        self._seen.add(os.path.realpath(folder))
        try:
            items = sorted(os.scandir(folder), key=lambda item: item.name)
        except OSError:
            self._passed_over.add("folders that cannot be opened", below(self._root, folder))
            return
        here = folder.relative_to(self._root).as_posix()
        mask_folder, mask_file = mask_folders(folder), mask_files([item.name for item in items])
        for item in items:
            if item.name in mask_folder:
                self._passed_over.add("folders of masks beside images", name_as_text(f"{here}/{item.name}"))
            elif item.name in mask_file:
                self._passed_over.add("masks beside their pictures", name_as_text(f"{here}/{item.name}"))
            elif item.is_dir():
                yield from self.inside(Path(item.path))
            elif item.name.startswith("."):
                if is_picture(item.name):
                    self._passed_over.add("hidden pictures", name_as_text(f"{here}/{item.name}"))
            elif item.name not in JUNK_FILES:
                yield here, item.name

    def inside(self, folder: Path) -> Iterator[tuple[str, str]]:
        """The files of a subfolder, unless it is skipped."""
        if folder.name.startswith(".") or folder.name in JUNK:
            return
        name = below(self._root, folder)
        if is_run(folder):
            self.met_run = True
            self._passed_over.add("folders of DeepSight's own results", name)
        elif leads_back(self._root, folder):
            self._passed_over.add("links that lead back to a folder above", name)
        elif os.path.realpath(folder) in self._seen:
            self._passed_over.add("links to folders that are listed already", name)
        else:
            yield from self.files(folder)
