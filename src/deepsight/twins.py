"""The pictures of twins, drawn from what two stages know: the pairs and how they were placed."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from deepsight.context import of_ids
from deepsight.core.dataset import Dataset
from deepsight.interpret import gallery
from deepsight.interpret.examine import PICTURES
from deepsight.scrub.duplicates import difference


def sheet(duplicates: pl.DataFrame, data: Mapping[str, Dataset]) -> dict[str, bytes]:
    """The pictures of the pairs of twins, with their difference."""
    pairs = gallery.twins(duplicates).to_dicts()
    if not pairs:
        return {}
    first, second = (
        np.stack([of_ids(data[p[f"split_{end}"]], np.array([p[f"index_{end}"]])).pixels()[0] for p in pairs])
        for end in "ab"
    )
    placed = [(p["mirrored"], (p["scale_x"], p["scale_y"], p["shift_x"], p["shift_y"])) for p in pairs]
    differences = [
        difference(a, b, mirrored=mirrored, placement=placement)
        for a, b, (mirrored, placement) in zip(first, second, placed, strict=True)
    ]
    tiles = gallery.twin_tiles(first, second, np.stack(differences))
    return {f"{PICTURES}/duplicates.webp": gallery.encode(gallery.sheet(tiles))}
