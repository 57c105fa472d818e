"""Pictures of near-duplicates: both images of a pair and their difference."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.run import PICTURES
from deepsight.images import contact_sheet
from deepsight.scrub.duplicates.find import difference_picture


def duplicate_pictures(duplicates: pl.DataFrame, data: Mapping[str, Dataset]) -> dict[str, bytes]:
    """A contact sheet of the pairs to look at, each with its difference, by path in the run folder."""
    pairs = shown_pairs(duplicates).to_dicts()
    if not pairs:
        return {}
    first, second = (
        np.stack(
            [select_ids(data[p[f"split_{end}"]], np.array([p[f"index_{end}"]])).pixels()[0] for p in pairs]
        )
        for end in "ab"
    )
    placed = [(p["mirrored"], (p["scale_x"], p["scale_y"], p["shift_x"], p["shift_y"])) for p in pairs]
    differences = [
        difference_picture(a, b, mirrored=mirrored, placement=placement)
        for a, b, (mirrored, placement) in zip(first, second, placed, strict=True)
    ]
    tiles = contact_sheet.pair_tiles(first, second, np.stack(differences))
    return {f"{PICTURES}/duplicates.webp": contact_sheet.webp_sheet(contact_sheet.contact_sheet(tiles))}


def shown_pairs(duplicates: pl.DataFrame, *, limit: int = 24) -> pl.DataFrame:
    """Pairs of the `duplicates` table to show: each cluster's flagged pair of highest score, test's first."""
    touches = ((pl.col("split_a") == "test") | (pl.col("split_b") == "test")).alias("touches_test")
    order = ["touches_test", "score", "index_a", "index_b"]
    flagged = duplicates.filter(pl.col("flagged")).with_columns(touches)
    ranked = flagged.sort(order, descending=[True, True, False, False])
    return ranked.drop("touches_test").unique("cluster", keep="first", maintain_order=True).head(limit)
