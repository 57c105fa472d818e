"""The images of a run by source and row (file, class, group and digest), and changes between two runs."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.dataset import Dataset

SHOWN = 3  # file names given as examples in a sentence


def image_table(parts: Mapping[str, Dataset], digests: Mapping[str, NDArray[np.uint8]]) -> pl.DataFrame:
    """One row per image: split, source, index, file, class, group, digest.

    Args:
        parts: the splits by name; no image is in two of them.
        digests: uint8 (n, 16) by source, the digest of each image by its id.
    """
    frames = [part_table(name, data, digests.get(data.source)) for name, data in parts.items()]
    return pl.concat(frames)


def part_table(name: str, data: Dataset, digests: NDArray[np.uint8] | None) -> pl.DataFrame:
    """The rows of one split; unknown values are null."""
    n = len(data)
    return pl.DataFrame(
        {
            "split": [name] * n,
            "source": [data.source] * n,
            "index": data.ids,
            "file": [None] * n if data.files is None else [str(file) for file in data.files],
            "class": np.asarray(data.classes, dtype=object)[data.labels].tolist(),
            "group": [None] * n if data.groups is None else data.groups,
            "digest": [None] * n if digests is None else [row.tobytes().hex() for row in digests[data.ids]],
        },
        schema={
            "split": pl.String, "source": pl.String, "index": pl.Int64, "file": pl.String,
            "class": pl.String, "group": pl.Int64, "digest": pl.String,
        },
    )  # fmt: skip


def split_list(images: pl.DataFrame, splits: Mapping[str, Dataset]) -> pl.DataFrame:
    """The images with their final split, "not used" for those that were dropped or not needed.

    Args:
        images: from `image_table`.
        splits: the final splits by name.
    """
    final = [
        pl.DataFrame({"source": [data.source] * len(data), "index": data.ids, "final": [name] * len(data)})
        for name, data in splits.items()
    ]
    joined = images.join(
        pl.concat(final), on=["source", "index"], how="left", maintain_order="left"
    ).with_columns(split=pl.col("final").fill_null("not used"))
    known = [name for name in ("file", "group") if joined[name].null_count() < len(joined)]
    return joined.select("split", "source", "index", "class", *known)


def changes_between(before: pl.DataFrame, after: pl.DataFrame) -> str:
    """The changes from one table of images to another in words: added, removed, changed, relabelled.

    Images are matched by file within their source, or by digest where images have no files.
    """
    if before["file"].null_count() or after["file"].null_count():
        return changes_of_unnamed(before, after)
    joined = before.join(after, on=["source", "file"], how="full", suffix="_now", coalesce=True)
    both = joined.filter(pl.col("index").is_not_null() & pl.col("index_now").is_not_null())
    found = {
        "added": joined.filter(pl.col("index").is_null()),
        "removed": joined.filter(pl.col("index_now").is_null()),
        "changed": both.filter(pl.col("digest") != pl.col("digest_now")),
        "given another class": both.filter(pl.col("class") != pl.col("class_now")),
    }
    parts = [sentence_part(what, rows["file"].to_list()) for what, rows in found.items() if len(rows)]
    return ", ".join(parts) or "the images or the classes are in another order"


def sentence_part(what: str, files: Sequence[str]) -> str:
    """A count with examples, such as "5 files added (cat/1.png, cat/2.png, cat/3.png, …)"."""
    shown = ", ".join(sorted(files)[:SHOWN]) + (", …" if len(files) > SHOWN else "")
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'} {what} ({shown})"


def changes_of_unnamed(before: pl.DataFrame, after: pl.DataFrame) -> str:
    """The changes where images have no files: the numbers of new and removed digests."""
    was, now = set(before["digest"].to_list()), set(after["digest"].to_list())
    if was == now:
        return "the images are in another order, or have other classes"
    return f"{len(now - was):,} images are new and {len(was - now):,} were removed"
