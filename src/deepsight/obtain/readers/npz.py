"""Images as arrays in an .npz file, streamed into the cache so that they may exceed memory."""

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.atomic import file_digest, write_text
from deepsight.core.files.damage import DAMAGE, damage_as
from deepsight.core.progress import Log
from deepsight.obtain.cache import (
    MOST_DECODED_BYTES,
    cache_folder,
    file_stamp,
    keep_within,
    map_array,
    note_use,
    save_array,
)
from deepsight.obtain.custom_data import CustomData
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.decode import DIGEST_BYTES
from deepsight.obtain.decoding.decoded_cache import DECODER
from deepsight.obtain.decoding.image_store import StoredImages, write_images
from deepsight.obtain.local_file import user_path
from deepsight.obtain.obtained import Obtained, Part
from deepsight.obtain.readers.npz_images import HEADER_READERS, ArrayReader
from deepsight.obtain.readers.npz_labels import CLASSES, labels_of_file
from deepsight.obtain.readers.part_names import part_of_name
from deepsight.obtain.skipped_items import NO_LABELS, PassedOver
from deepsight.obtain.sources import SourceError
from deepsight.obtain.splits import split_custom_data

OPTIONS: tuple[str, ...] = ()
# Words for images and labels in array names; the name of a part may precede or follow, as in x_train.
IMAGES = ("images", "x", "data", "image", "imgs", "img")
LABELS = ("labels", "y", "targets", "target", "label")
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def load_npz(address: DataAddress, *, log: Log) -> Obtained:
    """The images and labels in the arrays of an .npz file; images keep their size.

    The arrays are `images` (n, h, w, 3) or (n, h, w) and `labels` (n,), optionally `classes`, and `val_…` and
    `test_…` for the other parts.

    Raises:
        UsageError: the file does not exist.
        DeepSightError: it is damaged, lacks an array, or an array has the wrong shape or type.
    """
    path = file_of(address)
    with damage_as(partial(unusable_npz, path)):
        custom = read_image_arrays(path, log)
    return split_custom_data(custom, share=address.test_share, log=log)


def file_of(address: DataAddress) -> Path:
    """The file at an address.

    Raises:
        UsageError: it does not exist.
    """
    path = user_path(address.place).resolve()
    if not path.is_file():
        raise UsageError(f"Expected an .npz file, received '{address.place}'.")
    return path


def unusable_npz(path: Path, why: str) -> DeepSightError:
    """The error for a file that does not hold the expected arrays."""
    return DeepSightError(
        f"Expected {path} as an .npz file with images (n, h, w, 3) or (n, h, w) and labels (n,), "
        f"but: {why}. Write it with np.savez(file, images=…, labels=…, classes=…)."
    )


def read_image_arrays(path: Path, log: Log) -> CustomData:
    """The arrays of the file, with the images in the cache.

    Raises:
        ValueError: the file is not an .npz file, or its arrays cannot be used.
    """
    passed_over = PassedOver()
    if not zipfile.is_zipfile(path) and not is_single_array(path):
        raise ValueError("it is neither a zip archive nor an array of NumPy")
    content = np.load(path, mmap_mode="r", allow_pickle=False)
    if not hasattr(content, "files"):
        raise ValueError("it is a single array, as np.save writes it, and holds no labels")
    with content as file:
        keys = keys_of_parts(file.files)
        used = {name for pair in keys.values() for name in pair} | {*CLASSES}
        passed_over.add_all("arrays", [name for name in file.files if name not in used])
        require_plain(file, used)
        given, names = labels_of_file(file, keys)
    stamp = f"{DECODER}/{path}".encode() + file_stamp(path)
    folder = cache_folder() / "own" / hashlib.sha256(stamp).hexdigest()[:32]
    parts, digests, arrays = {}, {}, [images for images, _ in keys.values()]
    for part, labels in given.items():
        target = folder / f"{part}_images.npy"
        images, digests[part], each = stored_images(path, keys[part][0], target, log, beside=arrays)
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} {keys[part][0]} but {len(labels)} {keys[part][1]}")
        parts[part] = labelled_part(images, labels, each, part, passed_over)
    require_one_shape(parts)
    note_use(folder)
    keep_within(folder.parent, limit=MOST_DECODED_BYTES, using=folder)
    return CustomData(f"arrays:{path}", parts, names, digests, passed_over)


def is_single_array(path: Path) -> bool:
    """Whether a file is a single array, as np.save writes it."""
    with path.open("rb") as file:
        return file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def require_plain(file: Any, used: set[str]) -> None:
    """Refuse arrays of Python objects, since reading them could run code.

    Raises:
        ValueError: there is one.
    """
    for name in sorted(used & set(file.files)):
        with file.zip.open(f"{name}.npy") as member:
            read_header = HEADER_READERS[np.lib.format.read_magic(member)]
            if read_header(member)[2].hasobject:
                raise ValueError(f"{name} are Python objects; write text with {name}.astype(str)")


def keys_of_parts(there: list[str]) -> dict[str, tuple[str, str]]:
    """The names of images and labels of each part.

    Raises:
        ValueError: there are no images, or images without labels.
    """
    images, labels = named_arrays(there, IMAGES), named_arrays(there, LABELS)
    if "all" in images and "train" in images:
        del images["train"]
    elif "train" in images:
        images["all"], labels["all"] = images.pop("train"), labels.pop("train", "")
    found = {part: (name, labels.get(part, "")) for part, name in images.items()}
    for part, (name, label) in found.items():
        if not label:
            expected = "labels" if part == "all" else f"{part}_labels"
            raise ValueError(f"it holds {name} but no {expected}; received the arrays {there[:12]}")
    if "all" not in found:
        alone = "".join(f"; to use {pair[0]} alone, call them images and labels" for pair in found.values())
        raise ValueError(f"it holds no array 'images'; received the arrays {there[:12]}{alone}")
    if len(found) > 1:
        found["train"] = found.pop("all")
    return found


def named_arrays(there: Sequence[str], kinds: Sequence[str]) -> dict[str, str]:
    """By part, the array whose name holds a word of `kinds`: train, val or test, or "all" for the word alone.

    If a part has several, the one whose word comes first in `kinds` is taken.
    """
    found: dict[str, tuple[int, str]] = {}
    for name in there:
        words = [word.lower() for word in WORDS.findall(name)]
        for rank, kind in enumerate(kinds):
            others = [word for word in words if word != kind]
            part = "all" if not others else part_of_name("_".join(others))
            if len(others) == len(words) - 1 and part is not None:
                found[part] = min(found.get(part, (rank, name)), (rank, name))
    return {part: name for part, (_, name) in found.items()}


def labelled_part(
    images: StoredImages, labels: Ints, digests: NDArray[np.uint8], name: str, passed_over: PassedOver
) -> Part:
    """The images that have a label; the others are counted as unused."""
    rows = np.flatnonzero(labels >= 0)
    if len(rows) == len(labels):
        return Part(images, labels, digests=digests)
    missing = np.flatnonzero(labels < 0)
    where = "" if name == "all" else f" in {name}"
    passed_over.add(f"{NO_LABELS}{where}", f"row {missing[0]}", len(missing))
    return Part(images.select(rows), labels[rows], digests=digests[rows])


def require_one_shape(parts: Mapping[str, Part]) -> None:
    """Refuse parts whose images have different sizes.

    Raises:
        ValueError: they have.
    """
    shapes = {name: tuple(part.images.shape[1:3]) for name, part in parts.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"the images of its parts have different heights and widths: {shapes}")


def stored_images(
    path: Path, key: str, target: Path, log: Log, *, beside: Sequence[str]
) -> tuple[StoredImages, str, NDArray[np.uint8]]:
    """The images of this array in the cache, the SHA-256 of all, and a digest of each, uint8 (n, 16).

    They share the value range of the arrays `beside`.
    """
    note, each = target.with_suffix(".sha256"), target.with_suffix(".digests.npy")
    with suppress(SourceError, *DAMAGE):
        images, known = StoredImages(target), note.read_text(encoding="utf-8")
        if known == f"{images.sha256()} {file_digest(each)}":
            return images, known.partition(" ")[0], np.array(map_array(each))
    if note.exists():
        log(f"{target} has changed since it was stored, so the images are read again.")
    reader = ArrayReader(path, key, log, beside=beside)
    digests: list[bytes] = []

    def noted(batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        digests.extend(hashlib.blake2b(image, digest_size=DIGEST_BYTES).digest() for image in batch)
        return batch

    _, sha256 = write_images(target, map(noted, reader.batches()), image_shape=reader.image_shape)
    save_array(each, np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES))
    write_text(note, f"{sha256} {file_digest(each)}")
    return StoredImages(target), sha256, np.array(map_array(each))
