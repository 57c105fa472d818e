"""Describes the data before a model is trained."""

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import Splits
from deepsight.core.evidence import Evidence
from deepsight.explore import appearance, balance, embedding


def describe_data(
    splits: Splits, features: NDArray[np.floating], rows: NDArray[np.int64], *, seed: int
) -> Evidence:
    """Balance of the splits, appearance of each class, and a map of the data.

    Args:
        splits: the splits of the study.
        features: (m, d), pooled features of some training images, from the frozen backbone.
        rows: int64 (m,), positions of these images in the training split.
        seed: random seed of the map.
    """
    train = splits.train
    return Evidence(
        {
            "balance": balance.balance_table(
                {n: s.labels for n, s in splits.named().items()}, splits.classes
            ),
            "appearance": appearance.appearance_table(train),
            "mean_images": appearance.mean_images(train),
            "embedding": embedding.embedding_table(
                features, train.labels[rows], splits.classes, train.ids[rows], seed=seed
            ),
        }
    )
