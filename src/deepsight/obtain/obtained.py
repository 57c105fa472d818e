"""A loaded data set, and its decoded parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats, Ints
from deepsight.core.dataset import Dataset, Images, Names, join_datasets
from deepsight.core.errors import UsageError


@dataclass(frozen=True)
class Part:
    """The decoded images of one official part, in the official order.

    Attributes:
        images: uint8 (n, h, w, 3), RGB; an array or a memory map.
        labels: int64 (n,), positions in the class names.
        files: object (n,), the file, URL, or shard and row of each image; None if images have no names.
        digests: uint8 (n, 16), BLAKE2b of each file, or of the pixels if there are no files; None if the part
            is verified as a whole.
        groups: object (n,), the group of each image, "" for an image without one; None if there are no
            groups.
        metadata: further columns, one row per image; None if there are none.
    """

    images: Images
    labels: Ints
    files: Names | None = None
    digests: NDArray[np.uint8] | None = None
    groups: Names | None = None
    metadata: pl.DataFrame | None = None


Parts = Mapping[str, Part]


@dataclass(frozen=True)
class Obtained:
    """A loaded data set.

    Attributes:
        train: the official training part, or what remains after a test part was held out.
        test: the official test part, or a stratified share of the images, held out with seed 0.
        record: the content of `data.json`: name, source, digests, counts, and what cannot be read or is not
            used.
        validation: the official validation part; None if there is none.
        digests: by source, uint8 (n, 16), the digest of each image by its id; empty if the data is verified
            as a whole.
        listed: by source, the names of all listed items in order, including unreadable ones; empty if items
            have no names.
        taken: by source, (n,), the time of exposure of each image by its id, in seconds since 1970, NaN if
            not recorded; empty if no image records it.
    """

    train: Dataset
    test: Dataset
    record: Mapping[str, Any]
    validation: Dataset | None = None
    digests: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taken: Mapping[str, Floats] = field(default_factory=dict)

    def named(self) -> dict[str, Dataset]:
        """The parts by the names that the run folder uses: train, val if there is one, test."""
        parts = {"train": self.train, "val": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def split(self, name: str) -> Dataset:
        """The part with this name: "train", "val" or "test"; "all" joins all parts.

        Raises:
            UsageError: there is no such part.
        """
        parts = self.named()
        if name == "all":
            return join_datasets(list(parts.values()), "all")
        if name not in parts:
            known = ", ".join([*parts, "all"])
            raise UsageError(f"Expected a split of {self.record['data']}, received '{name}'; known: {known}.")
        return parts[name]
