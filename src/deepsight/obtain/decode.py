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
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.files.atomic import write_json
from deepsight.core.progress import Log, Progress
from deepsight.obtain.bit_depth import Depth, common_tops, top_of
from deepsight.obtain.cache import cache_folder, map_array, save_array
from deepsight.obtain.crop import Fit, Picture, Shape, Unreadable, decode_picture
from deepsight.obtain.image_store import StoredImages, write_images
from deepsight.obtain.sources import Part, SourceError

CHUNK = 256
DECODER = 2  # changes whenever the same file gives other pixels: what is in the cache is then decoded again
DIGEST_BYTES = 16


@dataclass(frozen=True)
class Listing:
    """The images of one part before they are decoded.

    Attributes:
        names: of the n items, such as paths below the folder.
        labels: int64 (n,), positions in the classes; -1 where an item has no label.
        read: gives the encoded image of a row, or raises `Unreadable` or OSError.
        groups: the name of the group of each item, "" where it has none; None where there are no groups.
        metadata: further columns, one row per item; None where there are none.
    """

    names: Sequence[str]
    labels: Ints
    read: Callable[[int], bytes]
    groups: Sequence[str] | None = None
    metadata: pl.DataFrame | None = None


@dataclass(frozen=True)
class Decoded:
    """A part in the cache.

    Attributes:
        part: the images that could be read, and what is known of them.
        quarantined: what could not be read: {"file", "reason"}.
        sha256: of the pixels.
        cut: mean share of a picture that was cut off.
        taken: (n,), time of exposure in seconds, NaN where none is noted.
    """

    part: Part
    quarantined: list[dict[str, str]]
    sha256: str
    cut: float
    taken: Floats


@dataclass
class Decoding:
    """One pass over a listing, a chunk in memory at a time; notes what was kept and what was set aside."""

    name: str
    listing: Listing
    shape: Shape
    fit: Fit
    log: Log
    tops: Mapping[int, float] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)
    quarantined: list[dict[str, str]] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    depths: dict[int, Depth] = field(default_factory=dict)

    def batches(self) -> Iterator[Pixels]:
        """The pixels of the items that can be read, in order."""
        n = len(self.listing.names)
        progress = Progress(f"images decoded ({self.name})", n, self.log)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, n, CHUNK):
                rows = range(start, min(start + CHUNK, n))
                pixels = list(self.keep(zip(rows, pool.map(self.attempt, rows), strict=True)))
                if pixels:
                    yield np.stack(pixels)
                progress.done(rows.stop)

    def attempt(self, row: int) -> tuple[Picture, bytes] | str:
        """The picture of an item and the digest of its file, or why there is none."""
        if self.listing.labels[row] < 0:
            return "it has no label"
        try:
            content = self.listing.read(row)
            picture = decode_picture(content, shape=self.shape, fit=self.fit, top=self.tops.get(row))
            return picture, hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
        except Unreadable as error:
            return str(error)
        except OSError as error:
            return error.strerror or str(error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # decoders in other languages raise what is no Exception
            return str(error) or type(error).__name__

    def keep(self, results: Iterable[tuple[int, tuple[Picture, bytes] | str]]) -> Iterator[Pixels]:
        """The pixels among the results; the rest is noted."""
        for row, result in results:
            if isinstance(result, str):
                self.quarantined.append({"file": printable(self.listing.names[row]), "reason": result})
                continue
            picture, digest = result
            self.kept.append(row)
            self.digests.append(digest)
            self.cuts.append(picture.cut)
            self.taken.append(picture.taken)
            if picture.depth is not None:
                self.depths[row] = picture.depth
            yield picture.pixels

    def common_tops(self) -> dict[int, float]:
        """Where images of more than 8 bits share another range than was used: the range of each of them."""
        tops = common_tops(self.depths)
        used = {row: self.tops.get(row, top_of(depth)) for row, depth in self.depths.items()}
        return {} if tops == used else tops


def printable(name: str) -> str:
    """A file name as text, bytes that are no text spelt out."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def decoded_parts(
    listings: Mapping[str, Listing], *, key: str, shape: Shape, fit: Fit, log: Log
) -> dict[str, Decoded]:
    """The parts in this shape, from the cache where the same items were decoded before.

    Args:
        key: changes whenever the items do.

    Raises:
        DeepSightError: the cache cannot be written to.
    """
    labelled = {name: hashlib.sha256(listing.labels.data).hexdigest() for name, listing in listings.items()}
    asked = f"{DECODER}/{key}/{shape}/{fit}/{sorted(labelled.items())}"
    folder = cache_folder() / "own" / hashlib.sha256(asked.encode()).hexdigest()[:32]
    try:
        return {name: read_part(folder, name, listing) for name, listing in listings.items()}
    except SourceError:
        return {
            name: write_part(folder, name, listing, shape=shape, fit=fit, log=log)
            for name, listing in listings.items()
        }


def write_part(folder: Path, name: str, listing: Listing, *, shape: Shape, fit: Fit, log: Log) -> Decoded:
    """Decode a part into the cache. The description is written last: it makes the rest count."""
    images = folder / f"{name}_images.npy"
    decoding = Decoding(name, listing, shape, fit, log)
    _, sha256 = write_images(images, decoding.batches(), image_shape=(*shape, 3))
    if tops := decoding.common_tops():
        decoding = Decoding(name, listing, shape, fit, log, tops)
        _, sha256 = write_images(images, decoding.batches(), image_shape=(*shape, 3))
    digests = np.frombuffer(b"".join(decoding.digests), np.uint8).reshape(-1, DIGEST_BYTES)
    save_array(folder / f"{name}_rows.npy", np.asarray(decoding.kept, dtype=np.int64))
    save_array(folder / f"{name}_digests.npy", digests)
    save_array(folder / f"{name}_taken.npy", np.asarray(decoding.taken, dtype=np.float64))
    cut = float(np.mean(decoding.cuts)) if decoding.cuts else 0.0
    about: dict[str, Any] = {"sha256": sha256, "cut": cut, "quarantined": decoding.quarantined}
    write_json(folder / f"{name}.json", about)
    return read_part(folder, name, listing, prove=False)


def read_part(folder: Path, name: str, listing: Listing, *, prove: bool = True) -> Decoded:
    """A part that was decoded before, its pixels proved by digest unless they were written just now.

    Raises:
        SourceError: it is absent, incomplete or damaged.
    """
    try:
        about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"nothing is stored yet in {folder}") from error
    images = StoredImages(folder / f"{name}_images.npy")
    if prove and images.sha256() != about["sha256"]:
        raise SourceError(f"{images.path} has the wrong digest")
    rows, digests, taken = (
        np.array(map_array(folder / f"{name}_{what}.npy")) for what in ("rows", "digests", "taken")
    )
    return Decoded(part_of_rows(listing, rows, images, digests), **about, taken=taken)


def part_of_rows(listing: Listing, rows: Ints, images: StoredImages, digests: NDArray[np.uint8]) -> Part:
    """The rows of a listing that could be read, with all that is known of them."""
    names = np.array([printable(name) for name in listing.names], dtype=object)
    groups = None if listing.groups is None else np.array(listing.groups, dtype=object)[rows]
    return Part(
        images,
        listing.labels[rows],
        files=names[rows],
        digests=digests,
        groups=groups,
        metadata=None if listing.metadata is None else listing.metadata[rows],
    )
