"""Images from a table of files and labels: CSV, TSV, Parquet, JSON or JSON Lines."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Unreadable
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.listed_data import obtain_listed
from deepsight.obtain.local_file import MOST_FILE_BYTES, found_path, read_local_file, user_path
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.readers.label_values import MISSING_MARKS, label_or_none, positions_of_labels
from deepsight.obtain.readers.metadata import GROUP, find_column, groups_and_rest
from deepsight.obtain.readers.part_names import part_of_name
from deepsight.obtain.readers.tables.table_columns import by_row, log_unused_groups, with_usual_columns
from deepsight.obtain.readers.tables.table_file import (
    holds_whole_numbers,
    read_table_file,
    text_column,
)
from deepsight.obtain.readers.tables.table_paths import with_found_paths
from deepsight.obtain.skipped_items import PassedOver

OPTIONS = ("path", "label", "split", "group", "side", "fit")
PATHS = (
    "path", "file", "file_name", "filename", "filepath", "image", "image_path", "url", "paths", "files",
    "filenames", "filepaths", "file_path", "image_id", "image_name", "img", "img_path",
)  # fmt: skip
BRACKETS = r"^\s*\[\s*(['\"])([^'\"]*)['\"]\s*\]\s*$"  # a list of one text, as Python writes it
LISTED = r"^\s*\[\s*['\"].*['\"]\s*,.*\]\s*$"  # a list of several
LABELS = ("label", "class", "class_name", "target", "labels", "category", "y", "class_label")


def load_table(
    address: DataAddress, *, resolution: int | None, offline: bool, judge: FitJudge | None = None, log: Log
) -> Obtained:
    """The images that a table lists, decoded once into the cache.

    A row holds the `path` of an image, a URL or a path relative to the table, and its `label`. It may also
    hold `split` (train, val or test) and `group`; all other columns are metadata. Options with these names
    select other columns.

    Raises:
        UsageError: there is no such table or column.
        DeepSightError: there are too few classes or images, or the cache cannot be written to.
    """
    path = user_path(address.place).resolve()
    content, passed_over = read_table_file(path), PassedOver()
    for note in content.notes:
        log(note)
    frame = by_row(content.frame)
    frame = with_usual_columns(frame, address.options, PATHS, LABELS, log)
    columns = table_columns(frame, address.options)
    log_unused_groups(frame, columns["group"], log)
    frame = with_found_paths(path.parent, frame, str(columns["path"]), log)
    rows = once_per_path(path.parent, frame, columns, passed_over)
    listings, classes = table_listings(path.parent, rows, columns, passed_over, offline=offline)
    key = table_fingerprint(path.parent, listings)
    return obtain_listed(
        f"table:{path}", address, listings, classes, key=key, options=OPTIONS,
        passed_over=passed_over, resolution=resolution, judge=judge, log=log,
    )  # fmt: skip


def table_columns(frame: pl.DataFrame, options: Mapping[str, str]) -> dict[str, str | None]:
    """The column for each purpose; None for an optional one that does not exist.

    Raises:
        UsageError: a column that is needed or named does not exist.
    """
    return {
        "path": find_column(frame, "path", options.get("path"), PATHS),
        "label": find_column(frame, "label", options.get("label"), LABELS),
        "split": find_column(frame, "split", options.get("split"), ("split",), needed=False),
        "group": find_column(frame, "group", options.get("group"), (GROUP,), needed=False),
    }


def once_per_path(
    base: Path, frame: pl.DataFrame, columns: Mapping[str, str | None], passed_over: PassedOver
) -> pl.DataFrame:
    """The first row of each file; repeated rows, by label and part, are counted as unused.

    One file may have several paths, such as `a.png` and `./a.png`.

    Raises:
        DeepSightError: the column holds images themselves.
    """
    column, label, split = str(columns["path"]), str(columns["label"]), columns["split"]
    if frame[column].dtype.is_nested() or frame[column].dtype == pl.Binary:
        raise DeepSightError(
            f"Expected paths as text in the column '{column}', received {frame[column].dtype}. A table that "
            "holds the images themselves is named --data parquet:FILE."
        )
    named = frame.filter(pl.Series([name is not None for name in text_column(frame, column)]))
    if lost := len(frame) - len(named):
        passed_over.add("rows without a path", f"{lost} in all", lost)
    parts = [""] * len(named) if split is None else named[split].to_list()
    kept: dict[str, tuple[str, str]] = {}
    first = []
    for name, given, part in zip(text_column(named, column), named[label].to_list(), parts, strict=True):
        place = place_of_file(base, str(name))
        first.append(place not in kept)
        before = kept.setdefault(place, (str(given), str(part)))
        if not first[-1]:
            other = "another label" if before[0] != str(given) else "another part"
            same = before == (str(given), str(part))
            kind = "for" if same else f"that give {other} to"
            passed_over.add(f"rows {kind} a path that is listed already", str(name))
    return named.filter(pl.Series(first, dtype=pl.Boolean))


def place_of_file(base: Path, name: str) -> str:
    """The URL, or the normalised path, of the file of a row."""
    return name if "://" in name else os.path.normpath(found_path(base, name))


def table_listings(
    base: Path,
    frame: pl.DataFrame,
    columns: Mapping[str, str | None],
    passed_over: PassedOver,
    *,
    offline: bool,
) -> tuple[dict[str, Listing], tuple[str, ...]]:
    """The listing of each part, in the order of the table, and the classes."""
    values = labels_of_column(frame, str(columns["label"]))
    labels, classes = positions_of_labels(values, among=values)
    places = part_rows(frame, columns["split"], passed_over)
    roles = [name for name in columns.values() if name is not None and name != columns["group"]]
    found = {}
    for part, rows in places.items():
        here = frame[rows]
        names = [str(name) for name in text_column(here, str(columns["path"]))]
        groups, metadata = groups_and_rest(here, columns["group"], roles)
        read = partial(read_place, base, names, offline)
        found[part] = Listing(names, labels[rows], read, groups, metadata)
    return found, classes


def labels_of_column(frame: pl.DataFrame, column: str) -> list[str | int | None]:
    """The labels as text or whole numbers, None for an empty cell.

    Raises:
        DeepSightError: the labels are lists, dates or numbers with a fraction.
    """
    series = without_brackets(frame[column])
    if holds_whole_numbers(series):
        series = series.fill_nan(None).cast(pl.Int64)
    if isinstance(series.dtype, (pl.Boolean, pl.Categorical, pl.Enum)):
        series = series.cast(pl.String)
    if series.dtype == pl.String and len(lists := series.filter(series.str.contains(LISTED))):
        raise DeepSightError(
            f"Expected one label per image in the column '{column}', received lists such as {lists[0]}. "
            "DeepSight studies classifiers with one class per image."
        )
    if not (series.dtype.is_integer() or series.dtype == pl.String):
        raise DeepSightError(
            f"Expected labels as text or whole numbers in the column '{column}', received {series.dtype}. "
            "DeepSight studies classifiers with one class per image."
        )
    if series.dtype == pl.String:
        series = without_marks_of_missing(series)
    return [label_or_none(value) for value in series.to_list()]


def without_brackets(labels: pl.Series) -> pl.Series:
    """Labels that are lists of one label each, also as the text `['cat']`, as these labels."""
    if isinstance(labels.dtype, pl.List) and bool((labels.drop_nulls().list.len() == 1).all()):
        return labels.list.first()
    if labels.dtype != pl.String:
        return labels
    bare = labels.str.extract(BRACKETS, 2)
    return bare if bare.null_count() == labels.null_count() else labels


def without_marks_of_missing(labels: pl.Series) -> pl.Series:
    """Text labels with null for the marks of empty cells; whole numbers if nothing else is left."""
    kept = labels.set(labels.str.strip_chars().str.to_lowercase().is_in(MISSING_MARKS).fill_null(False), None)
    numbers = kept.cast(pl.Float64, strict=False)
    if numbers.null_count() == kept.null_count() < len(labels) and kept.null_count() > labels.null_count():
        return numbers.cast(pl.Int64) if holds_whole_numbers(numbers) else kept
    return kept


def part_rows(frame: pl.DataFrame, split: str | None, passed_over: PassedOver) -> dict[str, np.ndarray]:
    """The rows of each part; "all" if there is no column of splits, or only train in it.

    Raises:
        UsageError: no row belongs to train.
    """
    if split is None:
        return {"all": np.arange(len(frame))}
    given = text_column(frame, split)
    parts = np.array([part_of_name(name or "") or "" for name in given], dtype=object)
    unknown = [name or "(empty)" for name, part in zip(given, parts, strict=True) if not part]
    passed_over.add_all("rows of another split than train, val and test", unknown)
    found = {part: np.flatnonzero(parts == part) for part in ("train", "val", "test")}
    present = {part: rows for part, rows in found.items() if len(rows)}
    if "train" not in present:
        known = sorted({name or "(empty)" for name in given})
        raise UsageError(f"Expected rows whose '{split}' is train, received {known[:12]}.")
    return present if len(present) > 1 else {"all": present["train"]}


def read_place(base: Path, names: Sequence[str], offline: bool, row: int) -> bytes:
    """The bytes at a path or a URL.

    Raises:
        Unreadable: it is too large, needs the network while `offline` is set, or a library is missing.
        OSError: it cannot be read.
    """
    name = names[row]
    if "://" not in name:
        return read_local_file(found_path(base, name))
    if offline and not name.startswith(("file://", "memory://")):
        raise Unreadable("it is a URL, and --offline is set")
    import fsspec

    try:
        with fsspec.open(name, "rb") as file:
            content = bytes(file.read(MOST_FILE_BYTES + 1))
    except FileNotFoundError as error:  # its message is the URL
        raise Unreadable("nothing is there, or the server does not answer") from error
    except (ImportError, ValueError) as error:  # an unknown protocol, or one without its library
        raise Unreadable(str(error)) from error
    if len(content) > MOST_FILE_BYTES:
        raise Unreadable(f"more than {MOST_FILE_BYTES} bytes")
    return content


def table_fingerprint(base: Path, listings: Mapping[str, Listing]) -> str:
    """SHA-256 of the part and name of each image, and of size and modification time of local files."""
    digest = hashlib.sha256(str(base).encode("utf-8", "surrogatepass"))
    for part, listing in sorted(listings.items()):
        for name in listing.names:
            known = b"" if "://" in name else file_stamp(found_path(base, name))
            digest.update(f"{part}\0{name}\0".encode("utf-8", "surrogatepass") + known + b"\0")
    return digest.hexdigest()
