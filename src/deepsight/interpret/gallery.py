"""What a reader looks at image by image: the errors, the suspected labels, the twins, and their pictures.

A sheet is one picture that holds the thumbnails of a table, `ACROSS` tiles a line, in the order of the
table's rows (contract: docs/methods/report.md).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.evidence import Table
from deepsight.interpret import overlay

ACROSS = 32
LOSSLESS = 101  # OpenCV's sign for WebP without loss
LOSSLESS_PIXELS = 1024 * 1024
UNITS = {
    "index": "row in the official order of test",
    "true": "class name",
    "predicted": "class name",
    "confidence": "probability of the predicted class",
}

Pictures = NDArray[np.uint8]


def errors(
    ids: NDArray[np.int64],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
    *,
    limit: int = 4000,
) -> Table:
    """The misclassified test images, the most confident first.

    Args:
        ids: (n,), rows in the official order of the test split.
        labels: (n,), the given labels.
        probabilities: (n, k), rows sum to 1.
        classes: the k names.
        limit: at most so many rows; the least confident are left out, and the caption says so.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = probabilities.max(axis=1)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    names = np.array(classes)
    frame = pl.DataFrame(
        {
            "index": ids[order],
            "true": names[labels[order]],
            "predicted": names[predicted[order]],
            "confidence": confidence[order],
        },
        schema_overrides={"true": pl.String, "predicted": pl.String},
    )
    part = "all" if len(order) == len(wrong) else f"the {len(order):,} most confident"
    return Table(
        frame,
        units=UNITS,
        n=len(labels),
        method="Test images whose most probable class is not the given one; "
        "confidence is the largest probability.",
        caption=f"{len(wrong):,} of {len(labels):,} test images are misclassified; {part} are listed.",
    )


def suspects(label_errors: pl.DataFrame, *, limit: int = 240) -> pl.DataFrame:
    """The flagged candidates of the `label_errors` table, the surest first, without null suggestions."""
    flagged = label_errors.filter(pl.col("flagged"))
    return flagged.sort(["score", "split", "index"], descending=[True, False, False]).head(limit)


def twins(duplicates: pl.DataFrame, *, limit: int = 24) -> pl.DataFrame:
    """Pairs of the `duplicates` table to look at: of each cluster the surest flagged pair, test's first."""
    touches = ((pl.col("split_a") == "test") | (pl.col("split_b") == "test")).alias("touches_test")
    order = ["touches_test", "score", "index_a", "index_b"]
    flagged = duplicates.filter(pl.col("flagged")).with_columns(touches)
    ranked = flagged.sort(order, descending=[True, True, False, False])
    return ranked.drop("touches_test").unique("cluster", keep="first", maintain_order=True).head(limit)


def twin_tiles(first: Pictures, second: Pictures, difference: Pictures) -> Pictures:
    """For each pair three pictures in a row: the first, the second, and how they differ.

    Args:
        first, second: uint8 (n, h, w, 3), pair by pair.
        difference: uint8 (n, h, w, 3), a picture of the difference of each pair.

    Returns:
        uint8 (3n, h, w, 3).
    """
    return np.stack([first, second, difference], axis=1).reshape(-1, *first.shape[1:])


def sheet(images: Pictures, *, largest: int = 64) -> Pictures:
    """All images as tiles of one picture, `ACROSS` a line, so that a tile's side is the width over `ACROSS`.

    Args:
        images: uint8 (n, h, w, 3); made square by shrinking or stretching where they are not.
        largest: the largest side of a tile in pixels; larger images are shrunk by area.

    Returns:
        uint8 (side · ceil(n / ACROSS), side · ACROSS, 3); places without an image are black.
    """
    side = min(max(images.shape[1:3]), largest)
    lines = max(1, -(-len(images) // ACROSS))
    tiles = np.zeros((lines * ACROSS, side, side, 3), dtype=np.uint8)
    for place, image in enumerate(images):
        same = image.shape[:2] == (side, side)
        tiles[place] = image if same else cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    grid = tiles.reshape(lines, ACROSS, side, side, 3).swapaxes(1, 2)
    return grid.reshape(lines * side, ACROSS * side, 3)


def encode(sheet: Pictures) -> bytes:
    """The sheet as the bytes of a WebP file: without loss up to `LOSSLESS_PIXELS`, else at quality 95.

    A thousand thumbnails of 32 px take 1.7 MB without loss and 0.6 MB at quality 95, and all of them must
    fit into one report.
    """
    pixels = sheet.shape[0] * sheet.shape[1]
    return overlay.webp(sheet, quality=LOSSLESS if pixels <= LOSSLESS_PIXELS else 95)
