"""Own images as arrays in an .npz file, streamed into the cache so that they may be larger than memory."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files import write_text
from deepsight.core.progress import Log
from deepsight.obtain.cache import cache_folder, file_stamp
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.image_store import StoredImages, write_images
from deepsight.obtain.sources import Obtained, Part, SourceError
from deepsight.obtain.splits import CustomData, positions_of_labels, split_custom_data

OPTIONS: tuple[str, ...] = ()
KEYS: Mapping[str, tuple[str, str]] = {"all": ("images", "labels"), "test": ("test_images", "test_labels")}
CHUNK_BYTES = 2**24


def load_npz(address: DataAddress, *, log: Log) -> Obtained:
    """The arrays `images` uint8 (n, h, w, 3) or (n, h, w), `labels` (n,), and optionally `classes`,
    `test_images`, `test_labels` of an .npz file; the images keep their size.

    Raises:
        UsageError: the file does not exist.
        DeepSightError: it is damaged, lacks an array, or an array is not what it should be.
    """
    path = Path(address.place).expanduser().resolve()
    if not path.is_file():
        raise UsageError(f"Expected an .npz file, received '{address.place}'.")
    try:
        own = read_npz(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError) as error:
        raise DeepSightError(
            f"Expected {path} as an .npz file with uint8 images (n, h, w, 3) or (n, h, w) and labels (n,), "
            f"but: {error}. Write it with np.savez(file, images=…, labels=…, classes=…)."
        ) from error
    return split_custom_data(own, log=log)


def read_npz(path: Path) -> CustomData:
    """The file's arrays, the images in the cache; where there is a test part, the other is train."""
    given, names = read_npz_labels(path)
    folder = cache_folder() / "own" / hashlib.sha256(str(path).encode() + file_stamp(path)).hexdigest()[:32]
    parts, digests = {}, {}
    for part, labels in given.items():
        name = "train" if part == "all" and "test" in given else part
        images, digests[name] = stored_images(path, KEYS[part][0], folder / f"{name}_images.npy")
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images and {len(labels)} labels in {name}")
        parts[name] = Part(images, labels)
    return CustomData(f"arrays:{path}", parts, names, digests)


def read_npz_labels(path: Path) -> tuple[dict[str, Ints], tuple[str, ...]]:
    """The labels of each part as positions in the classes, and the classes."""
    with np.load(path, allow_pickle=False) as file:
        present = [part for part, (images, _) in KEYS.items() if part == "all" or images in file.files]
        given = {part: flat_labels(file[KEYS[part][1]]) for part in present}
        classes = [str(name) for name in file["classes"]] if "classes" in file.files else None
    if classes is not None:
        return {part: labels_in_range(labels, len(classes)) for part, labels in given.items()}, tuple(classes)
    everything = np.concatenate(list(given.values())).tolist()
    named = {part: positions_of_labels(labels.tolist(), among=everything) for part, labels in given.items()}
    return {part: positions for part, (positions, _) in named.items()}, named["all"][1]


def flat_labels(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels (n,) or (n, 1) as (n,); whole numbers or text."""
    if labels.dtype.kind not in "iuU" or labels.size != len(labels):
        raise ValueError(f"labels are {labels.dtype} {labels.shape}, expected whole numbers or text (n,)")
    return labels.reshape(-1)


def labels_in_range(labels: NDArray[Any], k: int) -> Ints:
    """Labels that are positions in k classes."""
    if labels.dtype.kind == "U" or labels.min() < 0 or labels.max() >= k:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} beside {k} classes")
    return labels.astype(np.int64)


def stored_images(path: Path, key: str, target: Path) -> tuple[StoredImages, str]:
    """The images under this key, copied to the cache in a stream, and the digest of their pixels."""
    note = target.with_suffix(".sha256")
    with suppress(SourceError, OSError):
        images, known = StoredImages(target), note.read_text(encoding="utf-8")
        if images.sha256() == known:
            return images, known
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
        shape = image_header(file, key)
        _, sha256 = write_images(target, image_batches(file, shape), image_shape=(*shape[1:3], 3))
    write_text(note, sha256)
    return StoredImages(target), sha256


def image_header(file: IO[bytes], key: str) -> tuple[int, ...]:
    """The shape of an array of images, left at its first pixel."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran, dtype = read_header(file)
    colour = len(shape) == 4 and shape[3] == 3
    if dtype != np.uint8 or not (colour or len(shape) == 3) or (fortran and len(shape) > 1):
        order = " in Fortran order" if fortran else ""
        raise ValueError(
            f"{key} are {dtype} {shape}{order}, expected uint8 (n, h, w, 3) or (n, h, w) in C order"
        )
    return tuple(shape)


def image_batches(file: IO[bytes], shape: tuple[int, ...]) -> Iterator[NDArray[np.uint8]]:
    """The images of an open array, some megabytes at a time; greys in three equal channels."""
    each = int(np.prod(shape[1:]))
    step = max(1, CHUNK_BYTES // each)
    for start in range(0, shape[0], step):
        n = min(step, shape[0] - start)
        content = file.read(n * each)
        if len(content) != n * each:
            raise EOFError(f"the file ends after {start} images of {shape[0]}")
        images = np.frombuffer(content, dtype=np.uint8).reshape(n, *shape[1:])
        yield images if images.ndim == 4 else np.repeat(images[..., None], 3, axis=3)
