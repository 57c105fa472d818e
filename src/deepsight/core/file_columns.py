"""File names of images, added to every table that refers to images by row."""

from collections.abc import Mapping

import polars as pl

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence, Table

# The columns with the split and the row of an image, and the column that its file name goes to.
COLUMNS = (
    ("split", "index", "file"),
    ("split_a", "index_a", "file_a"),
    ("split_b", "index_b", "file_b"),
    ("twin_split", "twin_index", "twin_file"),
)
UNIT = "file of the image"
DEFAULT_SPLIT = "test"  # of tables without a column for the split


def file_names(parts: Mapping[str, Dataset]) -> pl.DataFrame:
    """One row (split, index, file) per image with a file name, of these splits by name."""
    frames = [
        pl.DataFrame(
            {"split": [name] * len(data), "index": data.ids, "file": [str(file) for file in data.files]},
            schema={"split": pl.String, "index": pl.Int64, "file": pl.String},
        )
        for name, data in parts.items()
        if data.files is not None
    ]
    empty = pl.DataFrame(schema={"split": pl.String, "index": pl.Int64, "file": pl.String})
    return pl.concat([empty, *frames])


def with_files(evidence: Evidence, names: pl.DataFrame) -> Evidence:
    """The same tables with a column for the file of each image that they refer to by row.

    In a table that already has a column `file`, such as the picture of a map, it is called `image_file`.

    Args:
        evidence: the tables.
        names: from `file_names`.
    """
    if names.is_empty():
        return evidence
    return Evidence({name: table_with_files(table, names) for name, table in evidence.items()})


def table_with_files(table: Table, names: pl.DataFrame) -> Table:
    """One table with the files of its images."""
    frame, units = table.frame, dict(table.units)
    for split, index, file in COLUMNS:
        if index not in frame.columns or not frame[index].dtype.is_integer():
            continue
        if units.get(file) == UNIT:
            continue  # already added
        target = file if file not in frame.columns else f"image_{file}"
        keys = frame.select(
            split=pl.col(split) if split in frame.columns else pl.lit(DEFAULT_SPLIT),
            index=pl.col(index).cast(pl.Int64),
        )
        found = keys.join(names, on=["split", "index"], how="left", maintain_order="left")["file"]
        if target in frame.columns or found.null_count() == len(found):
            continue
        frame = frame.with_columns(found.alias(target))
        units[target] = UNIT
    return Table(frame=frame, units=units, n=table.n, method=table.method, caption=table.caption)
