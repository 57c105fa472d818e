"""The samples of a WebDataset shard, listed once and kept in the cache."""

import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import safe_name, write_json
from deepsight.obtain.bounded_tar import BoundedEntry
from deepsight.obtain.cache import cache_folder
from deepsight.obtain.local_file import is_picture
from deepsight.obtain.readers.label_values import label_or_none
from deepsight.obtain.shards import Shard, open_seekable, shard_stamp

CLASS_SUFFIXES = ("cls", "txt")  # files that hold only the label, a number or a name
LABELS = ("label", "cls", "class", "class_name", "target")  # in a .json
MOST_LABEL_BYTES = 2**20
INDEX_VERSION = 1
WHOLE_NUMBER = re.compile(r"-?\d{1,18}")  # longer ones would not fit int64 and are names


@dataclass(frozen=True)
class ShardImage:
    """One image of a shard.

    Attributes:
        file: the name of the image's file in the shard.
        offset: position of its first byte in the shard.
        size: in bytes.
        label: as stored in the shard; None if it is missing.
        about: the other text, numbers and booleans of its .json.
    """

    file: str
    offset: int
    size: int
    label: str | int | None
    about: Mapping[str, Any]


@dataclass(frozen=True)
class IndexedShard:
    """A shard, a digest that changes when it does, and its samples in order."""

    shard: Shard
    stamp: str
    samples: Sequence[ShardImage]


def indexed_shard(shard: Shard, *, label: str | None) -> tuple[str, list[ShardImage], str] | str:
    """The stamp, samples and damage of a shard, from the cache if possible, or why it is unreadable."""
    try:
        stamp = shard_stamp(shard.url)
        name = f"{stamp}-{INDEX_VERSION}-{safe_name(label) if label else ''}.json"
        target = cache_folder() / "shards" / name
        if (known := read_shard_index(target)) is not None:
            return stamp, *known
        samples, lost = list_samples(shard, label)
    except (OSError, tarfile.TarError, DeepSightError) as error:
        return str(error) or type(error).__name__
    if not lost:
        write_json(target, {"samples": [asdict(sample) for sample in samples]})
    return stamp, samples, lost


def read_shard_index(path: Path) -> tuple[list[ShardImage], str] | None:
    """The samples of a shard from the cache; None if it was not listed before."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["samples"]
        return [ShardImage(**row) for row in rows], ""
    except (OSError, ValueError, KeyError, TypeError):
        return None


def list_samples(shard: Shard, label: str | None) -> tuple[list[ShardImage], str]:
    """The samples of a tar file in order, and the error at which reading it ended; empty if it is whole.

    Raises:
        OSError: it cannot be opened.
        tarfile.TarError: it is not a tar file, or a compressed one, which does not allow random access.
    """
    groups: dict[str, dict[str, tarfile.TarInfo]] = {}
    lost = ""
    with open_seekable(shard.url) as file, tarfile.open(fileobj=file, mode="r:", tarinfo=BoundedEntry) as tar:
        try:
            for entry in tar:
                tar.members = []  # type: ignore[attr-defined]  # otherwise it keeps every entry
                if entry.isfile():
                    key, suffix = sample_name(entry.name)
                    groups.setdefault(key, {})[suffix] = entry
        except (tarfile.TarError, OSError) as error:
            lost = str(error)
        samples = [s for group in groups.values() if (s := sample_of(group, file, label)) is not None]
    return samples, lost


def sample_name(name: str) -> tuple[str, str]:
    """The sample and the suffix of a file name, which is split at the first dot after the last slash."""
    path = PurePosixPath(name)
    stem, _, suffix = path.name.partition(".")
    return str(path.with_name(stem or path.name)), suffix.lower()


def sample_of(group: Mapping[str, tarfile.TarInfo], file: Any, label: str | None) -> ShardImage | None:
    """The sample made of files of one name; None if none of them is an image."""
    image = next((entry for entry in group.values() if is_picture(entry.name)), None)
    if image is None:
        return None
    about = json_of(group, file)
    given = about.pop(label, None) if label else None
    if label is None:
        given = next((about.pop(name) for name in LABELS if name in about), None)
    if given is None and label is None:
        given = next((small_text(group[s], file) for s in CLASS_SUFFIXES if s in group), None)
    plain = {name: value for name, value in about.items() if isinstance(value, (str, int, float, bool))}
    return ShardImage(image.name, image.offset_data, image.size, label_value(given), plain)


def json_of(group: Mapping[str, tarfile.TarInfo], file: Any) -> dict[str, Any]:
    """The entries of a sample's .json; empty if it is missing or damaged."""
    if "json" not in group:
        return {}
    try:
        read = json.loads(small_text(group["json"], file) or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def small_text(entry: tarfile.TarInfo, file: Any) -> str | None:
    """The content of a small text file in a shard; None if it is too large or not text."""
    if entry.size > MOST_LABEL_BYTES:
        return None
    file.seek(entry.offset_data)
    try:
        return str(file.read(entry.size).decode("utf-8")).strip()
    except UnicodeDecodeError:
        return None


def label_value(given: Any) -> str | int | None:
    """A label as a whole number or as text; None if it is missing."""
    text = "" if given is None or isinstance(given, (bool, list, dict)) else str(given)
    if isinstance(given, float) and given.is_integer():
        text = str(int(given))
    number = int(text) if WHOLE_NUMBER.fullmatch(text) else None
    return label_or_none(text if number is None else number)
