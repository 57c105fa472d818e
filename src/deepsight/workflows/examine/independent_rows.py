"""Training images without near-duplicates of the judged images, so that a judge was not trained on those."""

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.dataset import Dataset
from deepsight.scrub.duplicates.find import find_duplicates


def independent_rows(train: Dataset, judged: Dataset, *, seed: int) -> Ints:
    """The rows of `train`, ascending, that are not near-duplicates of a judged image.

    Args:
        train: images to train a model on.
        judged: images of the same shape whose labels the model judges.
        seed: of the search.
    """
    pairs = find_duplicates({"train": train, "judged": judged}, seed=seed).frame.filter("flagged")
    copies = pairs.filter(pl.col("split_b") == "train", pl.col("split_a") == "judged")["index_b"]
    return np.flatnonzero(~np.isin(train.ids, copies.to_numpy()))
