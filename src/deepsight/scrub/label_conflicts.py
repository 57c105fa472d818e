"""Near-duplicates of test images that have another label in another split."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset


def conflict_probability(
    duplicates: pl.DataFrame, test: Dataset, others: Mapping[str, Dataset]
) -> NDArray[np.float64]:
    """The probability that a test image has a near-duplicate of another class in another split, float64 (n,).

    Args:
        duplicates: the frame of the evidence table `duplicates`.
        test: the test images, n of them.
        others: the other splits by name, including their near-duplicates.
    """
    ends = [
        duplicates.filter((pl.col(f"split_{own}") == "test") & pl.col(f"split_{other}").is_in(list(others)))
        .select("probability", index=f"index_{own}", split=f"split_{other}", match=f"index_{other}")
        for own, other in ("ab", "ba")
    ]  # fmt: skip
    here = split_labels("test", test)
    there = pl.concat([split_labels(name, data) for name, data in others.items()])
    pairs = (
        pl.concat(ends)
        .join(here.rename({"row": "index", "label": "own_label"}).drop("split"), on="index")
        .join(there.rename({"row": "match", "label": "match_label"}), on=["split", "match"])
        .filter(pl.col("own_label") != pl.col("match_label"))
    )
    found = dict(pairs.group_by("index").agg(pl.col("probability").max()).rows())
    return np.array([found.get(int(row), 0.0) for row in test.ids], dtype=np.float64)


def split_labels(split: str, data: Dataset) -> pl.DataFrame:
    """The label of each row of a split."""
    return pl.DataFrame({"row": data.ids, "label": data.labels}).with_columns(split=pl.lit(split))
