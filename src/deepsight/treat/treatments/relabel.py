"""Relabel: correct the training labels flagged as wrong, or leave their images out."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

from deepsight.core.dataset import Dataset
from deepsight.core.recipe import Recipe
from deepsight.treat.treatments.base import Target, Treatment

Action = Literal["relabel", "drop"]


def relabel_treatment(
    label_errors: pl.DataFrame, classes: Sequence[str], *, action: Action = "relabel", split: str = "train"
) -> Treatment:
    """Correct or drop the flagged training images; validation and test labels stay unchanged.

    Args:
        label_errors: the frame of the evidence table `label_errors`.
        classes: names of the k classes.
        action: "relabel" uses the suggested label, "drop" leaves the image out. At a precision of 0.8, a
            fifth of the changed labels were right before; dropping only costs data.
        split: the name of the training split in the table.
    """
    flagged = label_errors.filter(pl.col("flagged") & (pl.col("split") == split))
    place = {name: i for i, name in enumerate(classes)}
    suggested = {i: place[name] for i, name in flagged.select("index", "suggested").iter_rows()}
    spoiled = tuple(place[name] for name in most_flagged_classes(flagged["given"]))

    def change(train: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
        wrong = np.isin(train.ids, np.fromiter(suggested, dtype=np.int64))
        if action == "drop":
            return train.select(np.flatnonzero(~wrong)), recipe
        labels = train.labels.copy()
        labels[wrong] = [suggested[int(i)] for i in train.ids[wrong]]
        return train.with_labels(labels), recipe

    name = "relabel" if action == "relabel" else "drop_mislabelled"
    return Treatment(name, "label error", change, Target(classes=spoiled))


def most_flagged_classes(given: pl.Series) -> list[str]:
    """Classes with more than a third of the flagged labels: the target, if there are any."""
    if not len(given):
        return []
    shares = given.value_counts(sort=True, normalize=True, name="share")
    return [str(name) for name in shares.filter(pl.col("share") > 1 / 3)[given.name].to_list()]
