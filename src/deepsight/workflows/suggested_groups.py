"""Groups that nobody declared: said, with the score on images that have no neighbour in training."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from deepsight.core.dataset import Dataset
from deepsight.core.progress import Log, silent
from deepsight.core.suggested_groups import SuggestedGroups, suggest_groups

COLUMN = "neighbour in training"


def with_suggested_groups(test: Dataset, train: Sequence[Dataset], *, log: Log = silent) -> Dataset:
    """The test images with a column of metadata that says whether training holds a neighbour of each.

    The table `metadata_scores` then gives the score on both kinds. Nothing is added where images have groups
    already, or where names and pictures suggest none.

    Args:
        test: the examined images.
        train: what the model may have learnt from.
        log: receives a sentence where groups are suggested.
    """
    if test.groups is not None or not train:
        return test
    found = suggest_groups([test, *train])
    if found is None:
        return test
    mates = np.isin(found.groups[: len(test)], found.groups[len(test) :])
    log(suggestion(found, mates))
    column = pl.Series(COLUMN, np.where(mates, "yes", "no"))
    metadata = pl.DataFrame([column]) if test.metadata is None else test.metadata.with_columns(column)
    return replace(test, metadata=metadata)


def suggestion(found: SuggestedGroups, mates: np.ndarray) -> str:
    """What suggests groups, and how many test images have a neighbour in training."""
    return (
        f"File names and pictures suggest {found.n_groups:,} groups of consecutive images, such as "
        f"{found.example}: neighbours differ {found.likeness:.0%} as much as two images of a class. "
        f"{mates.sum():,} of {len(mates):,} test images have a neighbour in training, so the score may be "
        "too good; metadata_scores has it for both kinds. ?group=COLUMN keeps such images in one part."
    )
