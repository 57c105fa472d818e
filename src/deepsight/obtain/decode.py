"""Own images decoded once into the cache, in a stream, what cannot be read set aside with the reason."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels
from deepsight.core.files import write_json
from deepsight.core.progress import Log, Progress
from deepsight.obtain.cache import cache_folder, map_array, save_array
from deepsight.obtain.crop import Unreadable, decode_square
from deepsight.obtain.image_store import StoredImages, write_images
from deepsight.obtain.sources import Part, SourceError

CHUNK = 256


@dataclass(frozen=True)
class Listing:
    """The images of one part before they are decoded.

    Attributes:
        names: of the n items, such as paths below the folder.
        labels: int64 (n,), positions in the classes; -1 where an item has no label.
        read: gives the encoded image of a row, or raises `Unreadable` or OSError.
    """

    names: Sequence[str]
    labels: NDArray[np.int64]
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class Decoded:
    """A part in the cache.

    Attributes:
        part: the images that could be read, and their labels.
        rows: int64 (n,), their rows in the listing.
        quarantined: what could not be read: {"file", "reason"}.
        sha256: of the pixels.
    """

    part: Part
    rows: NDArray[np.int64]
    quarantined: list[dict[str, str]]
    sha256: str


@dataclass
class Decoding:
    """One pass over a listing, a chunk in memory at a time; notes what was kept and what was set aside."""

    name: str
    listing: Listing
    side: int
    log: Log
    kept: list[int] = field(default_factory=list)
    quarantined: list[dict[str, str]] = field(default_factory=list)

    def batches(self) -> Iterator[Pixels]:
        """The squares of the items that can be read, in order."""
        n = len(self.listing.names)
        pace = Progress(f"images decoded ({self.name})", n, self.log)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, n, CHUNK):
                rows = range(start, min(start + CHUNK, n))
                squares = list(self.keep(zip(rows, pool.map(self.attempt, rows), strict=True)))
                if squares:
                    yield np.stack(squares)
                pace.done(rows.stop)

    def attempt(self, row: int) -> Pixels | str:
        """The square of an item, or why there is none."""
        if self.listing.labels[row] < 0:
            return "it has no label"
        try:
            return decode_square(self.listing.read(row), side=self.side)
        except Unreadable as error:
            return str(error)
        except OSError as error:
            return error.strerror or str(error)

    def keep(self, results: Iterable[tuple[int, Pixels | str]]) -> Iterator[Pixels]:
        """The squares among the results; the rest is noted."""
        for row, result in results:
            if isinstance(result, str):
                self.quarantined.append({"file": printable(self.listing.names[row]), "reason": result})
            else:
                self.kept.append(row)
                yield result


def printable(name: str) -> str:
    """A file name as text, bytes that are no text spelt out."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def decoded_parts(listings: Mapping[str, Listing], *, key: str, side: int, log: Log) -> dict[str, Decoded]:
    """The parts as squares of `side` pixels, from the cache where the same items were decoded before.

    Args:
        key: changes whenever the items do.

    Raises:
        DeepSightError: the cache cannot be written to.
    """
    digest = hashlib.sha256(f"{key}/{side}/{sorted(listings)}".encode()).hexdigest()
    folder = cache_folder() / "own" / digest[:32]
    try:
        return {name: read_part(folder, name) for name in listings}
    except SourceError:
        return {
            name: write_part(folder, name, listing, side=side, log=log) for name, listing in listings.items()
        }


def write_part(folder: Path, name: str, listing: Listing, *, side: int, log: Log) -> Decoded:
    """Decode a part into the cache. The description is written last: it makes the rest count."""
    decoding = Decoding(name, listing, side, log)
    images = folder / f"{name}_images.npy"
    _, sha256 = write_images(images, decoding.batches(), image_shape=(side, side, 3))
    rows = np.asarray(decoding.kept, dtype=np.int64)
    save_array(folder / f"{name}_rows.npy", rows)
    save_array(folder / f"{name}_labels.npy", listing.labels[rows])
    about: dict[str, Any] = {"sha256": sha256, "quarantined": decoding.quarantined}
    write_json(folder / f"{name}.json", about)
    return Decoded(Part(StoredImages(images), listing.labels[rows]), rows, **about)


def read_part(folder: Path, name: str) -> Decoded:
    """A part that was decoded before, its pixels proved by digest.

    Raises:
        SourceError: it is absent, incomplete or damaged.
    """
    try:
        about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"nothing is stored yet in {folder}") from error
    images = StoredImages(folder / f"{name}_images.npy")
    if images.sha256() != about["sha256"]:
        raise SourceError(f"{images.path} has the wrong digest")
    rows, labels = (np.array(map_array(folder / f"{name}_{what}.npy")) for what in ("rows", "labels"))
    return Decoded(Part(images, labels), rows, **about)
