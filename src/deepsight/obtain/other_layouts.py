"""Advice on folders and files that other programs write and that are not folders of classes."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from deepsight.obtain.local_file import is_picture
from deepsight.obtain.skipped_items import first_few

MOST_ITEMS = 2_000  # looked at; the first folders show what a data set is
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
PACKED = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
ARCHIVES = (*PACKED, ".tar")  # a tar may also be a shard of WebDataset
BOXES = re.compile(r"\d+(?: [\d.]+){4,}\s*")  # a line of YOLO: class, centre and size
CLASS_IN_NAME = re.compile(r"([^\W\d_]+)[ ._-]*\(?\d+\)?")  # such as cat.0, dog_12 and cow (3)
CONVERT = (
    "Write the pictures to files in a folder per class, or as WebDataset shards, Parquet or an .npz file."
)
BY_SUFFIX = {
    ".tfrecord": "TFRecord files", ".tfrec": "TFRecord files", ".mdb": "an LMDB", ".rec": "RecordIO files",
    ".h5": "HDF5 files", ".hdf5": "HDF5 files", ".mat": "Matlab files", ".pkl": "pickles",
    ".pickle": "pickles", ".pt": "torch files", ".pth": "torch files", ".lance": "a Lance data set",
    ".beton": "FFCV files",
}  # fmt: skip


def layout_advice(root: Path) -> str:
    """What to do with a folder that holds no class folders, as a sentence; empty if nothing is known."""
    return first_said(root, (*CONTAINERS, table_beside, class_in_names))


def container_advice(root: Path) -> str:
    """The same for a folder that may hold folders, but of other files than pictures."""
    return first_said(root, CONTAINERS)


def first_said(root: Path, rules: Sequence[Callable[[Sequence[Path]], str]]) -> str:
    """What is known of a folder that `datasets` saved, else what the first rule that applies says."""
    files = files_below(root)
    others = (said for rule in rules if (said := rule(files)))
    return saved_by_datasets(root, files) or next(others, "")


def files_below(root: Path) -> list[Path]:
    """The visible files of a folder and its subfolders, by folder; links to folders are not followed."""
    found = []
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in sorted(names) if not name.startswith(".")]
        if len(found) > MOST_ITEMS:
            break
    return found


def saved_by_datasets(root: Path, files: Sequence[Path]) -> str:
    """A data set that `save_to_disk` of the `datasets` library wrote."""
    marks = {"dataset_dict.json", "state.json", "dataset_info.json"}
    saved = marks & {file.name for file in files} and any(file.suffix == ".arrow" for file in files)
    return f"The library `datasets` saved it: --data hf:{root}" if saved else ""


def boxes_of_detection(files: Sequence[Path]) -> str:
    """Pictures with boxes around objects, by YOLO's text files or COCO's JSON."""
    texts = [file for file in files if file.suffix == ".txt" and file.parent.name == "labels"]
    texts += [file for file in files if file.suffix == ".txt" and "labels" in file.parent.parts[-3:-1]]
    yolo = any(BOXES.fullmatch(first_line_of(file)) for file in texts[:3])
    coco = any(re.search(r"instances.*\.json$|coco\.json$", file.name) for file in files)
    return boxes_advice("YOLO" if yolo else "COCO") if yolo or coco else ""


def boxes_advice(program: str) -> str:
    """What to do with pictures with boxes around objects in this program's format."""
    return (
        f"It holds boxes around objects, in the format of {program}. DeepSight studies whole pictures with "
        "one class each: cut the boxes out into a folder per class."
    )


def first_line_of(file: Path) -> str:
    """The first line of a text; empty if it cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return lines.readline(1_000)
    except OSError:
        return ""


def unread_format(files: Sequence[Path]) -> str:
    """Containers that DeepSight does not read."""
    kinds = [what for file in files if (what := container_name(file.name))]
    return f"It holds {kinds[0]}, which DeepSight does not read. {CONVERT}" if kinds else ""


def container_name(name: str) -> str:
    """What a file of a format that DeepSight does not read is called; empty for any other name."""
    if ".tfrecord" in name.lower():  # shards are named train.tfrecord-00000-of-00002
        return BY_SUFFIX[".tfrecord"]
    return BY_SUFFIX.get(Path(name).suffix.lower(), "")


def shards(files: Sequence[Path]) -> str:
    """Parquet files, which hold rows with images."""
    found = [file for file in files if file.suffix.lower() in (".parquet", ".pq")]
    pattern = found[0].parent / f"*{found[0].suffix}" if found else None
    return f"If its tables hold the images, name them: --data 'parquet:{pattern}'" if found else ""


def table_beside(files: Sequence[Path]) -> str:
    """A table beside the pictures, which may hold their labels."""
    tables = [file for file in files if file.suffix.lower() in TABLES]
    return f"If {tables[0].name} holds the labels, name it: --data table:{tables[0]}" if tables else ""


def packed(files: Sequence[Path]) -> str:
    """Archives, which are not opened; a tar may be a shard of WebDataset."""
    found = [file for file in files if file.suffix.lower() in ARCHIVES]
    if not found:
        return ""
    pattern = found[0].parent / "*.tar"
    shard = f"; if they are WebDataset shards, name them: --data 'webdataset:{pattern}'"
    names = first_few([file.name for file in found], most=3)
    return f"Unpack its archives first ({names}){shard if found[0].suffix == '.tar' else ''}."


def class_in_names(files: Sequence[Path]) -> str:
    """Pictures whose names begin with the class, such as `cat.0.jpg`."""
    stems = [file.stem for file in files if is_picture(file.name)]
    words = {match[1] for stem in stems if (match := CLASS_IN_NAME.fullmatch(stem))}
    if not 2 <= len(words) <= len(stems) / 2:
        return ""
    return (
        f"The names of the files seem to begin with the class ({first_few(sorted(words))}): move them "
        "into a folder per class, or list files and labels in a table: --data table:FILE.csv"
    )


CONTAINERS = (boxes_of_detection, unread_format, shards, packed)
