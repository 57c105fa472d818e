"""Own images decoded once into the cache, in a stream, what cannot be read set aside with the reason."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.errors import is_panic
from deepsight.core.progress import Log, Progress
from deepsight.obtain.decoding.bit_depth import Depth, top_of
from deepsight.obtain.decoding.crop import Fit, Picture, Shape, Unreadable, decode_picture
from deepsight.obtain.decoding.decoded_block import BLOCK_BYTES, Block, block_path
from deepsight.obtain.skipped_items import NO_LABEL

CHUNK = 256
DIGEST_BYTES = 16


@dataclass(frozen=True)
class Listing:
    """The images of one part before they are decoded.

    Attributes:
        names: of the n items, such as paths relative to the folder.
        labels: int64 (n,), positions in the classes; -1 for an item without a label.
        read: returns the encoded image of a row, or raises `Unreadable` or OSError.
        groups: the group of each item, "" for an item without one; None if there are no groups.
        metadata: further columns, one row per item; None if there are none.
    """

    names: Sequence[str]
    labels: Ints
    read: Callable[[int], bytes]
    groups: Sequence[str] | None = None
    metadata: pl.DataFrame | None = None


@dataclass
class Decoding:
    """One decoding pass over a listing, with one block of images in memory at a time.

    Attributes:
        name: of the part.
        listing: the items to decode.
        shape: height and width of the stored images.
        fit: how pictures are fitted to that shape.
        folder: where finished blocks are kept, so that an interrupted decoding can continue.
        log: receives the progress.
        tops: by row, the value that becomes white, where images share a range.
        blocks: the finished blocks without their pixels.
    """

    name: str
    listing: Listing
    shape: Shape
    fit: Fit
    folder: Path
    log: Log
    tops: Mapping[int, float] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def batches(self) -> Iterator[Pixels]:
        """The pixels of the readable items in order, block by block, uint8 (m, h, w, 3)."""
        n = len(self.listing.names)
        each = block_rows(self.shape)
        progress = Progress(f"images decoded ({self.name})", n, self.log)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, max(n, 1), each):
                rows = range(start, min(start + each, n))
                path = block_path(self.folder, self.name, start)
                block = Block.load(path) if n > each else None
                if block is None:
                    block = self.decoded(pool, rows, progress)
                    if n > each:
                        block.save(path)
                progress.done(rows.stop)
                # A copy: an empty view would keep all pixels in memory.
                self.blocks.append(replace(block, pixels=block.pixels[:0].copy()))
                if len(block.pixels):
                    yield block.pixels

    def decoded(self, pool: ThreadPoolExecutor, rows: range, progress: Progress) -> Block:
        """These items of the listing, decoded."""
        pixels = np.empty((len(rows), *self.shape, 3), np.uint8)
        kept: list[int] = []
        digests: list[bytes] = []
        cuts: list[float] = []
        taken: list[float] = []
        quarantined: list[dict[str, str]] = []
        depths: dict[int, Depth] = {}
        several: list[str] = []
        for row, result in zip(rows, self.attempts(pool, rows, progress), strict=True):
            if isinstance(result, str):
                quarantined.append({"file": name_as_text(self.listing.names[row]), "reason": result})
                continue
            picture, digest = result
            pixels[len(kept)] = picture.pixels
            kept.append(row)
            digests.append(digest)
            cuts.append(picture.cut)
            taken.append(picture.taken)
            if picture.depth is not None:
                depths[row] = picture.depth
            if picture.frames > 1:
                several.append(name_as_text(self.listing.names[row]))
        return Block(
            pixels[: len(kept)], np.array(kept, np.int64),
            np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES),
            np.array(cuts), np.array(taken), quarantined, depths, several,
        )  # fmt: skip

    def attempts(
        self, pool: ThreadPoolExecutor, rows: range, progress: Progress
    ) -> Iterator[tuple[Picture, bytes] | str]:
        """The result of `attempt` for each row, chunk by chunk, so that few decoded pictures are waiting."""
        for start in range(rows.start, rows.stop, CHUNK):
            chunk = range(start, min(start + CHUNK, rows.stop))
            yield from pool.map(self.attempt, chunk)
            progress.done(chunk.stop)

    def attempt(self, row: int) -> tuple[Picture, bytes] | str:
        """The picture of an item and the digest of its file, or the reason why it cannot be read."""
        if self.listing.labels[row] < 0:
            return NO_LABEL
        try:
            content = self.listing.read(row)
            picture = decode_picture(content, shape=self.shape, fit=self.fit, top=self.tops.get(row))
            return picture, hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
        except Unreadable as error:
            return str(error)
        except OSError as error:
            return error.strerror or str(error)
        except BaseException as error:
            if not (isinstance(error, Exception) or is_panic(error)):
                raise
            return str(error) or type(error).__name__

    def depths(self) -> dict[int, Depth]:
        """Kind and largest value of each image with more than 8 bits per value, by row."""
        return {row: depth for block in self.blocks for row, depth in block.depths.items()}

    def used_tops(self) -> dict[int, float]:
        """The value that became white in each image with more than 8 bits per value, by row."""
        return {row: self.tops.get(row, top_of(depth)) for row, depth in self.depths().items()}

    def tops_by_kind(self) -> dict[str, list[float]]:
        """The distinct values that became white, by kind of image."""
        used, found = self.used_tops(), defaultdict[str, set[float]](set)
        for row, depth in self.depths().items():
            found[depth.kind].add(used[row])
        return {kind: sorted(tops) for kind, tops in sorted(found.items())}


def block_rows(shape: Shape) -> int:
    """The number of images per block: a multiple of `CHUNK`, at least one chunk."""
    return max(1, BLOCK_BYTES // (shape[0] * shape[1] * 3) // CHUNK) * CHUNK


def name_as_text(name: str) -> str:
    """A file name as text, bytes that are no text spelt out."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
