"""How many images of each class there are in each split."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.dataset import class_counts
from deepsight.core.evidence import Table


def balance_table(labels: Mapping[str, Ints], classes: Sequence[str]) -> Table:
    """Number of images by split and class: evidence table `balance`.

    Args:
        labels: int64 (n,) for each split by name, positions in `classes`.
        classes: names of the k classes.
    """
    counts = {split: class_counts(given, classes) for split, given in labels.items()}
    frame = pl.DataFrame(
        {
            "split": [split for split in counts for _ in classes],
            "class": [name for _ in counts for name in classes],
            "n": np.concatenate([*counts.values(), np.zeros(0, dtype=np.int64)]),
            "share": np.concatenate([*map(shares, counts.values()), np.zeros(0)]),
        },
        schema_overrides={"split": pl.String, "class": pl.String},
    )
    return Table(
        frame=frame,
        units={
            "split": "split name",
            "class": "class name",
            "n": "images",
            "share": "share of the split's images",
        },
        n=sum(len(given) for given in labels.values()),
        method="Images counted by their given label.",
        caption="; ".join(f"{split}: {class_sizes_text(count)}" for split, count in counts.items()) + ".",
    )


def shares(counts: Ints) -> np.ndarray:
    """Each count over their sum; zeros for an empty split."""
    return np.asarray(counts / max(int(counts.sum()), 1), dtype=np.float64)


def class_sizes_text(counts: Ints) -> str:
    """The sizes of the smallest and the largest class, in words."""
    smallest, largest = int(counts.min()), int(counts.max())
    if smallest == largest:
        return f"{largest:,} image{'' if largest == 1 else 's'} in every class"
    return f"{smallest:,} to {largest:,} images per class"
