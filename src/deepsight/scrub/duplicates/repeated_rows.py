"""The images of flagged pairs, and the rows of a split that repeat images of other splits."""

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table


def cluster_members(duplicates: Table) -> pl.DataFrame:
    """The images of flagged pairs, one row each: cluster, split, index."""
    flagged = duplicates.frame.filter("flagged")
    ends = [
        flagged.select("cluster", split=pl.col(f"split_{end}"), index=pl.col(f"index_{end}")) for end in "ab"
    ]
    return pl.concat(ends).unique(maintain_order=True)


def repeated_rows(duplicates: Table, *, of: str, within: tuple[str, ...]) -> Ints:
    """Rows of split `of` whose cluster has a member in one of the splits `within`, in ascending order.

    The training rows to drop are `repeated_rows(table, of="train", within=("val", "test"))`, the leaked test
    images `repeated_rows(table, of="test", within=("train",))`. Whole clusters count, not only pairs,
    because each image is compared only with its nearest neighbours.
    """
    images = cluster_members(duplicates)
    there = images.filter(pl.col("split").is_in(list(within)))["cluster"].unique()
    rows = images.filter((pl.col("split") == of) & pl.col("cluster").is_in(there.to_list()))["index"]
    return np.sort(rows.to_numpy()).astype(np.int64)
