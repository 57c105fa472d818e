"""The training images behind each error, with their pictures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from deepsight.core.array_types import Ints, Reals
from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.evidence import Table
from deepsight.images.contact_sheet import contact_sheet, webp_sheet
from deepsight.interpret.levers.outcome import ExaminedImages
from deepsight.interpret.levers.training_images.influence import (
    RidgeHead,
    margin_directions,
    most_influential,
    right_without,
)

SHOWN = 3  # training images shown beside each error
MOST_TILES = 1024  # training images on the sheet, which limits the size of the report
TILE = 48  # pixels along a side of a tile

SCHEMA = {
    "index": pl.Int64, "rank": pl.Int64, "train_index": pl.Int64, "train_label": pl.String,
    "moved": pl.Float64, "mended": pl.Boolean, "tile": pl.Int64,
}  # fmt: skip
UNITS = {
    "index": "row of the error in the official order of test",
    "rank": "1 is the strongest",
    "train_index": "row of the training image in the official order of its part",
    "train_label": "its given class",
    "moved": "change of the margin of the true class when it is left out",
    "mended": f"whether a closed-form head without these {SHOWN} gets the error right",
    "tile": "place of the training image on the sheet of pictures; null where it is not on it",
}


def influence_table(
    examined: ExaminedImages, head: RidgeHead, features: Reals, train_ids: Ints, train_labels: Ints,
    ids: Ints, classes: Sequence[str],
) -> Table:  # fmt: skip
    """The training images behind each error: evidence table `influence`, the strongest first of each error.

    Args:
        examined: the images; only the errors get rows.
        head: the closed-form head on the model's features of the training rows.
        features: (m, d), the model's features of the examined images.
        train_ids, train_labels: of the head's rows.
        ids: int64 (m,), ids of the examined images.
        classes: k names.
    """
    wrong = np.flatnonzero(examined.wrong)
    directions = margin_directions(examined.labels[wrong], examined.predicted[wrong], len(classes))
    rows, moved = most_influential(head, features[wrong], directions, SHOWN)
    mended = right_without(head, features[wrong], examined.labels[wrong], rows)
    before = head.outputs(features[wrong]).argmax(axis=1) == examined.labels[wrong]
    shown = rows.shape[1]  # fewer than SHOWN where there are fewer training images
    frame = pl.DataFrame(
        {
            "index": np.repeat(ids[wrong], shown),
            "rank": np.tile(np.arange(1, shown + 1), len(wrong)),
            "train_index": train_ids[rows].ravel(),
            "train_label": [classes[c] for c in train_labels[rows].ravel().tolist()],
            "moved": moved.ravel(),
            "mended": np.repeat(mended.astype(np.bool_) & ~before, shown),
            "tile": [None] * rows.size,
        },
        schema=SCHEMA,
    )
    count = int(frame.filter(rank=1)["mended"].sum())
    return Table(
        frame,
        UNITS,
        len(wrong),
        "Exact leave-out influence on a ridge head on the model's features (Woodbury identity).",
        f"Leaving out the {SHOWN} most influential training images fixes {count} of {len(wrong)} errors in "
        "a closed-form head.",
    )


def with_pictures(table: Table, train: Dataset) -> tuple[Table, bytes]:
    """The table with the place of each training image on a sheet, and the sheet as a WebP file.

    Images behind many errors come first; those that do not fit have no place.

    Args:
        table: from `influence_table`.
        train: the images that it names.
    """
    counted = (
        table.frame["train_index"]
        .value_counts(sort=True)
        .sort("count", "train_index", descending=[True, False])
    )
    shown = counted.head(MOST_TILES)["train_index"]
    places = pl.DataFrame({"train_index": shown, "tile": np.arange(len(shown))})
    frame = table.frame.drop("tile").join(places, on="train_index", how="left", maintain_order="left")
    pixels = select_ids(train, shown.to_numpy()).pixels()
    return replace(table, frame=frame), webp_sheet(contact_sheet(pixels, largest=TILE))


def with_influence(errors: Table, influence: Table) -> Table:
    """The table `lever_errors`, with the training images whose removal fixes an error added as evidence."""
    behind = (
        influence.frame.filter("mended")
        .group_by("index", maintain_order=True)
        .agg(pl.col("train_index").cast(pl.String).str.join(", "))
        .select("index", mending=pl.format("fixed by leaving out training images {}", "train_index"))
    )
    joined = errors.frame.join(behind, on="index", how="left", maintain_order="left")
    added = (
        pl.when(pl.col("mending").is_null())
        .then(pl.lit([], pl.List(pl.String)))
        .otherwise(pl.concat_list("mending"))
    )
    return replace(
        errors, frame=joined.with_columns(pl.concat_list("evidence", added).alias("evidence")).drop("mending")
    )
