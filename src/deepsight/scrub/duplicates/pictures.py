"""Pictures of near-duplicates: both images of a pair and their difference."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset, select_ids
from deepsight.core.run import PICTURES
from deepsight.images import contact_sheet
from deepsight.scrub.duplicates import registration


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


def difference_picture(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    *,
    mirrored: bool,
    placement: tuple[float, float, float, float],
) -> NDArray[np.uint8]:
    """The difference of the images of a pair: 128 where they agree, lighter where a is lighter.

    Image b is placed on a by `mirrored` and `placement`. Each channel gets the gain and offset that fit a
    best. Outside of b the picture is 128.

    Args:
        a: uint8 (h, w, 3).
        b: uint8 (h, w, 3).
        mirrored: whether b is mirrored.
        placement: scale_x, scale_y, shift_x and shift_y of the table.

    Returns:
        uint8 (h, w, 3).
    """
    first, second = (torch.tensor(image).permute(2, 0, 1)[None].float() for image in (a, b))
    if mirrored:
        second = second.flip(-1)
    laid, inside = registration.place(
        second, torch.tensor([placement], dtype=torch.float32), size=(a.shape[0], a.shape[1])
    )
    picture = np.full(a.shape, 128, dtype=np.uint8)
    seen = inside[0].bool().numpy()
    for channel in range(3):
        x, y = (image[0, channel].numpy()[seen] for image in (laid, first))
        design = np.stack([x, np.ones_like(x)], axis=1)
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        picture[seen, channel] = np.clip(128 + residual.round(), 0, 255)
    return picture
