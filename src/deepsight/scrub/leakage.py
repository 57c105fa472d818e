"""Images that appear in more than one split: copies with equal pixel digests, and members of one group."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset, Images

EXACT_COPY = "exact copy"  # the reason in the table split_dropped

BYTES = 16  # 128 bits: among a million distinct images the chance of equal digests is 1e-27
BLOCK = 4096  # images read at a time, so that images on disk are never in memory all at once


@dataclass(frozen=True)
class DigestedSplit:
    """A named split with the digest of each image."""

    name: str
    data: Dataset
    digests: NDArray[np.void]

    def without(self, dropped: pl.DataFrame) -> "DigestedSplit":
        """This split without the rows that were dropped from it."""
        ids = dropped.filter(pl.col("split") == self.name)["index"].to_numpy()
        if not len(ids):
            return self
        rows = np.flatnonzero(~np.isin(self.data.ids, ids))
        return DigestedSplit(self.name, self.data.select(rows), self.digests[rows])


def no_leaks() -> pl.DataFrame:
    """An empty frame with the columns of `split_dropped`."""
    names = {"split": pl.String, "index": pl.Int64, "reason": pl.String}
    return pl.DataFrame(schema=names | {"twin_split": pl.String, "twin_index": pl.Int64})


def find_leaks(
    train: DigestedSplit, validation: DigestedSplit, test: DigestedSplit, *, near_duplicates: Ints
) -> pl.DataFrame:
    """The rows to drop: copies of test images and members of their groups; in train, also of validation.

    Args:
        train, validation, test: the splits.
        near_duplicates: int64, ids of training images that nearly copy a validation or test image.
    """
    near = np.intersect1d(train.data.ids, near_duplicates)
    found = [
        exact_copies(train, test),
        exact_copies(validation, test),
        exact_copies(train, validation),
        leak_rows("train", near, "near-duplicate", None, None),
        shared_groups(train, test),
        shared_groups(validation, test),
        shared_groups(train, validation),
    ]
    return pl.concat(found).unique(["split", "index"], keep="first", maintain_order=True)


def exact_copies(part: DigestedSplit, other: DigestedSplit) -> pl.DataFrame:
    """Images of `part` that are also in `other`, with the first copy there, as rows of `split_dropped`."""
    there, first = np.unique(other.digests, return_index=True)
    rows = np.flatnonzero(np.isin(part.digests, there))
    found_copies = other.data.ids[first[np.searchsorted(there, part.digests[rows])]]
    return leak_rows(part.name, part.data.ids[rows], EXACT_COPY, other.name, found_copies)


def shared_groups(part: DigestedSplit, other: DigestedSplit) -> pl.DataFrame:
    """Images of `part` whose group, such as a patient, is also in `other`, with its first row there."""
    if part.data.groups is None or other.data.groups is None:
        return no_leaks()
    there, first = np.unique(other.data.groups, return_index=True)
    rows = np.flatnonzero(np.isin(part.data.groups, there))
    mates = other.data.ids[first[np.searchsorted(there, part.data.groups[rows])]]
    return leak_rows(part.name, part.data.ids[rows], "same group", other.name, mates)


def leak_rows(
    name: str, index: Ints, reason: str, twin_split: str | None, copies: Ints | None
) -> pl.DataFrame:
    """Rows of `split_dropped` for one split and one reason."""
    n, schema = len(index), no_leaks().schema
    columns = ([name] * n, index, [reason] * n, [twin_split] * n, [None] * n if copies is None else copies)
    return pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema)


def pixel_digests(images: Images) -> NDArray[np.void]:
    """BLAKE2b of the pixels of each image (n, h, w, 3) uint8, as (n,) of 16 bytes, read in blocks."""
    found = np.empty(len(images), dtype=f"V{BYTES}")
    for start in range(0, len(images), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(images)))
        block = np.ascontiguousarray(images[rows])
        digest = b"".join(blake2b(image, digest_size=BYTES).digest() for image in block)
        found[rows] = np.frombuffer(digest, dtype=found.dtype)
    return found
