"""Which images of one split another split holds too."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset


@dataclass(frozen=True)
class DigestedSplit:
    """A split under its name, with the digest of each image."""

    name: str
    data: Dataset
    marks: NDArray[np.void]

    def without(self, dropped: pl.DataFrame) -> "DigestedSplit":
        """This part less the rows that were dropped from it."""
        ids = dropped.filter(pl.col("split") == self.name)["index"].to_numpy()
        if not len(ids):
            return self
        rows = np.flatnonzero(~np.isin(self.data.ids, ids))
        return DigestedSplit(self.name, self.data.select(rows), self.marks[rows])


def no_leaks() -> pl.DataFrame:
    """The frame of `split_dropped` without a row."""
    names = {"split": pl.String, "index": pl.Int64, "reason": pl.String}
    return pl.DataFrame(schema=names | {"twin_split": pl.String, "twin_index": pl.Int64})


def find_leaks(
    train: DigestedSplit, validation: DigestedSplit, test: DigestedSplit, *, near_twins: Ints
) -> pl.DataFrame:
    """What to drop: copies of test wherever they are; from train, copies of validation and near twins."""
    near = np.intersect1d(train.data.ids, near_twins)
    found = [
        copies(train, test),
        copies(validation, test),
        copies(train, validation),
        leaks("train", near, "near twin", None, None),
    ]
    return pl.concat(found).unique(["split", "index"], keep="first", maintain_order=True)


def copies(part: DigestedSplit, other: DigestedSplit) -> pl.DataFrame:
    """Images of `part` that `other` holds too, with the first row there, as rows of `split_dropped`."""
    there, first = np.unique(other.marks, return_index=True)
    rows = np.flatnonzero(np.isin(part.marks, there))
    twins = other.data.ids[first[np.searchsorted(there, part.marks[rows])]]
    return leaks(part.name, part.data.ids[rows], "exact copy", other.name, twins)


def leaks(name: str, index: Ints, reason: str, twin_split: str | None, twins: Ints | None) -> pl.DataFrame:
    """Rows of `split_dropped` for one split and one reason."""
    n, schema = len(index), no_leaks().schema
    columns = ([name] * n, index, [reason] * n, [twin_split] * n, [None] * n if twins is None else twins)
    return pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema)
