"""Images in Parquet files, as Hugging Face stores data sets: encoded images, or their paths."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import polars as pl

from deepsight.core.errors import DeepSightError
from deepsight.core.progress import Log, Progress
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Unreadable
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.listed_data import obtain_listed
from deepsight.obtain.local_file import MOST_FILE_BYTES
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.readers.label_values import positions_of_labels
from deepsight.obtain.readers.metadata import GROUP, find_column, groups_and_rest
from deepsight.obtain.readers.parquet_file import ParquetShard, open_one, pyarrow_parquet
from deepsight.obtain.readers.tables.table import LABELS, labels_of_column
from deepsight.obtain.shards import Shard, expand_parts, file_system, stamps_key
from deepsight.obtain.skipped_items import PassedOver

OPTIONS = ("val", "test", "image", "label", "group", "side", "fit")


def load_parquet(
    address: DataAddress, *, resolution: int | None, offline: bool, judge: FitJudge | None = None, log: Log
) -> Obtained:
    """The images of Parquet files, decoded once into the cache.

    A row holds an image (as bytes, as Hugging Face's {"bytes", "path"}, or as a path relative to the file)
    and a label. A column `group` keeps images together; all other columns are metadata. The options `val=`
    and `test=` name the files of these parts; `image=`, `label=` and `group=` name the columns.

    Raises:
        UsageError: the pattern matches nothing, or a column does not exist.
        DeepSightError: pyarrow is not installed, no file can be read, or the data is too small.
    """
    files = expand_parts(address, offline=offline)
    return obtain_files(
        f"parquet:{address.place}", files, address, PassedOver(), resolution=resolution, offline=offline,
        judge=judge, log=log,
    )  # fmt: skip


def obtain_files(
    name: str, files: Mapping[str, Sequence[Shard]], address: DataAddress, passed_over: PassedOver, *,
    resolution: int | None, offline: bool, judge: FitJudge | None, log: Log,
) -> Obtained:  # fmt: skip
    """The images of the Parquet files of each part, decoded once into the cache.

    Args:
        name: of the data, as in the record.
        files: by part.
        address: with the options of the data.
        passed_over: counts what is not used.
        resolution: the side in pixels that the study needs; None for the default.
        offline: treat images behind URLs as unreadable.
        judge: compares fits if the user gave none; None crops.
        log: receives progress, and what cannot be read or is not used.

    Raises:
        UsageError: a column does not exist.
        DeepSightError: pyarrow is not installed, no file can be read, or the data is too small.
    """
    image = address.options.get("image")
    opened = {part: open_all(part, found, image, passed_over, log) for part, found in files.items()}
    listings, classes = parquet_listings(opened, address.options, offline=offline)
    return obtain_listed(
        name, address, listings, classes, key=stamps_key(opened), options=OPTIONS, passed_over=passed_over,
        resolution=resolution, judge=judge, log=log,
    )  # fmt: skip


def open_all(
    part: str, files: Sequence[Shard], image: str | None, passed_over: PassedOver, log: Log
) -> list[ParquetShard]:
    """The readable files with all columns except the images; other files are counted as unused.

    Raises:
        UsageError: there is no column of images.
        DeepSightError: no file can be read, or their columns differ.
    """
    pyarrow_parquet()
    found: list[ParquetShard] = []
    progress = Progress(f"files listed ({part})", len(files), log)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(partial(open_one, image=image), files)
        for done, (shard, result) in enumerate(zip(files, results, strict=True), start=1):
            if isinstance(result, str):
                passed_over.add("files that cannot be read", f"{shard.name} ({result})")
            else:
                found.append(result)
            progress.done(done)
    if not found:
        raise DeepSightError(
            f"Expected Parquet files with images in the part {part}, but none can be read. The first: "
            f"{passed_over.records()[-1]['first']}."
        )
    columns = {tuple(sorted(one.frame.columns)) for one in found}
    if len(columns) > 1:
        raise DeepSightError(
            f"Expected the same columns in all files of the part {part}, received {sorted(columns)[:2]}."
        )
    return found


def parquet_listings(
    opened: Mapping[str, Sequence[ParquetShard]], options: Mapping[str, str], *, offline: bool
) -> tuple[dict[str, Listing], tuple[str, ...]]:
    """The listing of each part, in the order of files and rows, and the classes.

    If a file has class names, its numbers are mapped by name, since files may number classes differently.

    Raises:
        UsageError: a column does not exist.
    """
    frames = {
        part: pl.concat([one.frame for one in files], how="vertical_relaxed")
        for part, files in opened.items()
    }
    values: dict[str, list[Any]] = {}
    for part, files in opened.items():
        label = str(find_column(frames[part], "label", options.get("label"), LABELS))
        values[part] = [value for one in files for value in labels_by_name(one, label)]
    everything = [value for part in values.values() for value in part]
    if any(isinstance(value, str) for value in everything):
        values = {part: [v if v is None else str(v) for v in given] for part, given in values.items()}
        everything = [value for part in values.values() for value in part]
    listings: dict[str, Listing] = {}
    classes: tuple[str, ...] = ()
    for part, files in opened.items():
        frame = frames[part]
        labels, classes = positions_of_labels(values[part], among=everything)
        label = str(find_column(frame, "label", options.get("label"), LABELS))
        group = find_column(frame, "group", options.get("group"), (GROUP,), needed=False)
        groups, metadata = groups_and_rest(frame, group, [label])
        rows = [(one, row) for one in files for row in range(len(one.frame))]
        names = [f"{one.shard.name}/{row}" for one, row in rows]
        listings[part] = Listing(names, labels, partial(read_row, rows, offline), groups, metadata)
    return listings, classes


def labels_by_name(one: ParquetShard, label: str) -> list[str | int | None]:
    """The labels of a file: class names if it has them for this column, else the stored values."""
    given = labels_of_column(one.frame, label)
    names = one.class_names.get(label)
    if names is None:
        return given
    return [
        value if not isinstance(value, int) else names[value] if 0 <= value < len(names) else None
        for value in given
    ]


def read_row(rows: Sequence[tuple[ParquetShard, int]], offline: bool, row: int) -> bytes:
    """The encoded image of a row.

    Raises:
        Unreadable: the cell holds no image, or a URL under --offline.
        OSError: it cannot be read.
    """
    one, number = rows[row]
    cell = one.value(number)
    if isinstance(cell, Mapping):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, str):
        if offline and "://" in cell and not cell.startswith(("file://", "memory://")):
            raise Unreadable("it is a URL, and --offline is set")
        return read_beside(one.shard.url, cell)
    if not isinstance(cell, bytes):
        raise Unreadable(
            "the cell holds no image" if cell is None else f"the cell holds {type(cell).__name__}"
        )
    if len(cell) > MOST_FILE_BYTES:
        raise Unreadable(f"{len(cell)} bytes, more than {MOST_FILE_BYTES}")
    return cell


def read_beside(url: str, path: str) -> bytes:
    """The bytes of a file that a Parquet file refers to, by a URL or by a path relative to itself.

    Raises:
        Unreadable: it is too large.
        OSError: it cannot be read.
    """
    place = path if "://" in path else f"{url.rpartition('/')[0]}/{path}"
    system, inside = file_system(place)
    with system.open(inside, "rb") as file:
        content = bytes(file.read(MOST_FILE_BYTES + 1))
    if len(content) > MOST_FILE_BYTES:
        raise Unreadable(f"more than {MOST_FILE_BYTES} bytes")
    return content
