"""What each class looks like on average: colours, brightness, contrast, and the mean image."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Floats
from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Table
from deepsight.images.brightness import luma

BLOCK = 2048  # images read at once: 25 MB as float32 at 32 px


def appearance_table(data: Dataset) -> Table:
    """Colour statistics by class: evidence table `appearance`, with a last row for all classes together.

    Args:
        data: images of one split, read in blocks.
    """
    measures = np.concatenate([pixel_statistics(pixels) for pixels in pixel_blocks(data)])
    names = [*data.classes, "all"]
    members = [data.labels == c for c in range(data.k)] + [np.ones(len(data), dtype=bool)]
    rows = [class_statistics(measures[chosen]) for chosen in members]
    frame = pl.DataFrame(
        {"class": names, "n": [int(chosen.sum()) for chosen in members]},
        schema_overrides={"class": pl.String},
    ).hstack(pl.DataFrame(rows, schema=dict.fromkeys(MEASURES, pl.Float64), orient="row"))
    return Table(
        frame=frame,
        units={"class": "class name, or all", "n": "images", **MEASURES},
        n=len(data),
        method="Mean and standard deviation of the pixels by channel; brightness is Rec. 601 luma, "
        "contrast its standard deviation within an image.",
        caption=darkest_and_brightest(frame),
    )


MEASURES = {
    "red_mean": "0 to 1",
    "green_mean": "0 to 1",
    "blue_mean": "0 to 1",
    "red_sd": "0 to 1, over all pixels",
    "green_sd": "0 to 1, over all pixels",
    "blue_sd": "0 to 1, over all pixels",
    "brightness": "mean luma of an image, 0 to 1",
    "brightness_sd": "standard deviation between images, 0 to 1",
    "contrast": "mean over images of the standard deviation of luma, 0 to 1",
}


def pixel_blocks(data: Dataset) -> Iterator[NDArray[np.float32]]:
    """The images in blocks, float32 in [0, 1], (b, h, w, 3)."""
    for start in range(0, len(data), BLOCK):
        yield data.pixels(slice(start, start + BLOCK)).astype(np.float32) / np.float32(255)


def pixel_statistics(pixels: NDArray[np.float32]) -> Floats:
    """Mean and mean square of each channel, mean and deviation of luma: one row per image, (b, 8)."""
    flat = pixels.reshape(len(pixels), -1, 3)
    grey = luma(flat)
    squares = np.einsum("bpc,bpc->bc", flat, flat) / flat.shape[1]
    parts = [flat.mean(axis=1), squares, grey.mean(axis=1), grey.std(axis=1)]
    return np.column_stack(parts).astype(np.float64)


def class_statistics(measures: Floats) -> list[float | None]:
    """The values of `MEASURES` from rows of `pixel_statistics`; None where there are no rows."""
    if len(measures) == 0:
        return [None] * len(MEASURES)
    mean = measures.mean(axis=0)
    deviation = np.sqrt(np.maximum(mean[3:6] - mean[:3] ** 2, 0))
    return [
        *mean[:3].tolist(),
        *deviation.tolist(),
        float(mean[6]),
        float(measures[:, 6].std()),
        float(mean[7]),
    ]


def darkest_and_brightest(frame: pl.DataFrame) -> str:
    """A sentence that names the darkest and the brightest class."""
    known = frame.filter((pl.col("class") != "all") & pl.col("brightness").is_not_null()).sort("brightness")
    if len(known) == 0:
        return "No images."
    return f"{known['class'][0]} is darkest on average and {known['class'][-1]} brightest."


def mean_images(data: Dataset, *, side: int = 32) -> Table:
    """The mean image of each class: evidence table `mean_images`, one row per pixel.

    Args:
        data: images of one split, read in blocks.
        side: larger images are averaged over square cells down to about this side, in pixels.
    """
    height, width = data.images.shape[1:3]
    step = max(1, min(-(-max(height, width) // side), height, width))
    size = (height // step, width // step)
    members = (data.labels == np.arange(data.k)[:, None]).astype(np.float32)
    sums = np.zeros((data.k, size[0] * size[1] * 3))
    for start, pixels in zip(range(0, len(data), BLOCK), pixel_blocks(data), strict=True):
        sums += members[:, start : start + BLOCK] @ cell_means(pixels, step).reshape(len(pixels), -1)
    mean = sums / np.maximum(members.sum(axis=1, keepdims=True), 1)
    mean = np.rint(255 * mean).astype(np.uint8).reshape(data.k, *size, 3)
    name, row, column = (axis.ravel() for axis in np.indices((data.k, *size)))
    frame = pl.DataFrame(
        {
            "class": np.asarray(data.classes)[name],
            "row": row,
            "column": column,
            **{channel: mean[..., i].ravel() for i, channel in enumerate("rgb")},
        }
    )
    return Table(
        frame=frame,
        units={
            "class": "class name",
            "row": "pixels from the top",
            "column": "pixels from the left",
            "r": "red, 0 to 255",
            "g": "green, 0 to 255",
            "b": "blue, 0 to 255",
        },
        n=len(data),
        method="Mean of the pixels over the images of a class"
        + (f", in cells of {step} × {step} pixels." if step > 1 else "."),
        caption=f"The mean image of each of {data.k} classes: what is sharp in it is common to the class.",
    )


def cell_means(pixels: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Means over cells of step × step pixels; incomplete cells are left out."""
    b, height, width, channels = pixels.shape
    h, w = height // step, width // step
    cells = pixels[:, : h * step, : w * step].reshape(b, h, step, w, step, channels)
    return np.asarray(cells.mean(axis=(2, 4)), dtype=np.float32)
