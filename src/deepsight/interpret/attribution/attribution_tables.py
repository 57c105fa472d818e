"""The evidence tables `attribution` and `attribution_maps`: maps of the most confident errors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Table
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.energy_pointing import energy_pointing, mirror_agreement, peak_inside
from deepsight.interpret.background.grabcut import Masks

UNITS = {
    "split": "split name",
    "index": "row in the official order of the split",
    "true": "class name",
    "predicted": "class name",
    "confidence": "probability of the predicted class, 0 to 1",
    "layer": "layer name",
    "kind": "family of maps",
    "object_share": "share of the positive evidence for the predicted class that is on the object, 0 to 1",
    "object_area": "share of the image that the object covers, 0 to 1: what a uniform map would score",
    "peak_inside": "whether the strongest cell is on the object",
    "contrast_share": "the same share for predicted minus true",
    "strongest": "largest evidence of one cell for the predicted class, in logits",
    "mirror_agreement": "correlation with the map of the mirrored image, -1 to 1",
    "file": "picture in the run folder: image, predicted, true, predicted minus true",
}
VALUE_UNITS = {
    "split": "split name",
    "index": "row in the official order of the split",
    "class": "class that the evidence is for",
    "row": "cell from the top, 0 is the first",
    "column": "cell from the left, 0 is the first",
    "evidence": "what the cell adds to the class's logit",
}
NEED_A_MASK = ("object_share", "object_area", "peak_inside", "contrast_share")


def confident_errors(
    labels: Ints, probabilities: NDArray[np.floating], pairs: Sequence[tuple[int, int]], *, per_pair: int
) -> Ints:
    """Positions of the most confident errors of each confused pair, pair by pair.

    Args:
        labels: int64 (n,).
        probabilities: (n, k).
        pairs: (true class, predicted class), the main confused pairs first.
        per_pair: at most this many errors of each.

    Returns:
        int64 (m,), no position twice.
    """
    predicted = probabilities.argmax(axis=1)
    chosen = []
    for true, other in dict.fromkeys(pairs):
        errors = np.flatnonzero((labels == true) & (predicted == other) & (true != other))
        chosen.append(errors[np.argsort(-probabilities[errors, other], kind="stable")[:per_pair]])
    return np.concatenate(chosen).astype(np.int64) if chosen else np.empty(0, dtype=np.int64)


def picture_name(split: str, index: int) -> str:
    """The path of this image's picture in the run folder."""
    return f"maps/{split}-{index:05d}.webp"


def attribution_table(
    maps: NDArray[np.floating],
    masks: Masks,
    *,
    ids: Ints,
    labels: Ints,
    probabilities: NDArray[np.floating],
    classes: Sequence[str],
    layer: Layer,
    kind: str,
    split: str = "test",
    mirrored: NDArray[np.floating] | None = None,
) -> Table:
    """One row per error: where the evidence for the wrong class lies.

    Args:
        maps: (m, 2, h, w), for the predicted and for the true class of m errors.
        masks: of the same images; columns that need a mask are null where it is missing or rejected.
        ids, labels: int64 (m,). probabilities: (m, k).
        layer, kind: of the maps.
        mirrored: (m, 2, h, w), the maps of the images flipped left to right.

    Returns:
        The table `attribution`.

    Raises:
        DeepSightError: the arrays are not of one length.
    """
    if not len(maps) == len(masks) == len(ids) == len(labels) == len(probabilities):
        raise DeepSightError(
            "Expected as many maps, masks, ids, labels and probabilities, received "
            f"{len(maps)}, {len(masks)}, {len(ids)}, {len(labels)}, {len(probabilities)}."
        )
    agreement = (
        np.full(len(ids), np.nan) if mirrored is None else mirror_agreement(maps[:, 0], mirrored[:, 0])
    )
    frame = pl.DataFrame(
        {
            "split": pl.Series([split] * len(ids), dtype=pl.String),
            "index": ids,
            "true": [classes[c] for c in labels],
            "predicted": [classes[c] for c in probabilities.argmax(axis=1)],
            "confidence": probabilities.max(axis=1).astype(np.float64),
            "layer": [layer.name] * len(ids),
            "kind": [kind] * len(ids),
            **object_columns(maps, masks),
            "strongest": maps[:, 0].max(axis=(1, 2)).astype(np.float64),
            "mirror_agreement": agreement,
            "file": [picture_name(split, int(i)) for i in ids],
        }
    )
    usable = pl.when(pl.Series(masks.accepted))
    frame = frame.with_columns(usable.then(pl.col(name)) for name in NEED_A_MASK).fill_nan(None)
    return Table(frame, UNITS, len(ids), attribution_method(layer, kind, masks), attribution_caption(layer))


def map_values_table(
    maps: NDArray[np.floating],
    asked: Ints,
    *,
    ids: Ints,
    classes: Sequence[str],
    layer: Layer,
    split: str = "test",
) -> Table:
    """The raw values of every cell: the evidence table `attribution_maps`.

    Args:
        maps: (m, c, h, w), for the classes `asked`, int64 (m, c).
        ids: int64 (m,).
        layer: of the maps.
    """
    m, c, h, w = maps.shape
    row, column = np.mgrid[:h, :w]
    frame = pl.DataFrame(
        {
            "split": pl.Series([split] * maps.size, dtype=pl.String),
            "index": np.repeat(ids, c * h * w),
            "class": np.repeat(np.array(classes)[asked].ravel(), h * w),
            "row": np.tile(row.ravel(), m * c),
            "column": np.tile(column.ravel(), m * c),
            "evidence": maps.ravel().astype(np.float64),
        }
    )
    method = f"Signed maps at {layer.name} ({layer.side} × {layer.side} cells), never rescaled."
    return Table(frame, VALUE_UNITS, m, method, "What each cell adds to the logits of the two classes.")


def object_columns(maps: NDArray[np.floating], masks: Masks) -> dict[str, NDArray[Any]]:
    """The columns that need a mask."""
    cover = masks.cover(*maps.shape[2:])
    return {
        "object_share": energy_pointing(maps[:, 0], cover),
        "object_area": masks.area(),
        "peak_inside": peak_inside(maps[:, 0], cover),
        "contrast_share": energy_pointing(maps[:, 0] - maps[:, 1], cover),
    }


def attribution_method(layer: Layer, kind: str, masks: Masks) -> str:
    """How the maps and masks were made."""
    usable = int(masks.accepted.sum())
    return (
        f"{kind} maps at {layer.name} ({layer.side} × {layer.side} cells), raw values in logits; GrabCut "
        f"masks from a border prior for the main pairs only (Rother et al. 2004): {usable} are usable."
    )


def attribution_caption(layer: Layer) -> str:
    """What the table shows, and what it does not."""
    return (
        "The most confident errors of each confused pair, more of them for the main pairs, with the share of "
        "the evidence for the wrong class that lies on the object. A high share does not clear the model: "
        "receptive fields reach beyond a cell, so the swap test decides."
        + (f" {layer.caution}" if layer.caution else "")
    )
