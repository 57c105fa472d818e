"""A Parquet file of images: its columns, class names and row groups."""

import importlib
import json
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from deepsight.core.errors import DeepSightError, UsageError, first_line, near_names
from deepsight.obtain.decoding.crop import Unreadable
from deepsight.obtain.shards import Shard, open_seekable, shard_stamp

IMAGES = ("image", "img", "jpg", "png", "bytes", "path", "file", "file_name", "url")
KEPT = 4  # row groups in memory at once, since neighbouring rows are decoded together
MOST_GROUP_BYTES = 2**31  # of the images of a row group


@dataclass
class ParquetShard:
    """A Parquet file whose images are read one row group at a time; threads may share it.

    Attributes:
        shard: the file.
        stamp: a digest that changes whenever the file does.
        frame: all columns except that of the images.
        image: the column of the images.
        bounds: the first row of each row group, then the number of rows.
        class_names: by column, the class names in the order of their numbers, where the file has them.
    """

    shard: Shard
    stamp: str
    frame: pl.DataFrame
    image: str
    bounds: Sequence[int]
    class_names: Mapping[str, tuple[str, ...]]
    _groups: "OrderedDict[int, list[Any]]" = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def value(self, row: int) -> Any:
        """The cell of a row in the column of the images.

        Raises:
            Unreadable: its row group is too large, or damaged.
        """
        number = bisect_right(self.bounds, row) - 1
        with self._lock:
            if number not in self._groups:
                self._groups[number] = self._read(number)
                while len(self._groups) > KEPT:
                    self._groups.popitem(last=False)
            return self._groups[number][row - self.bounds[number]]

    def _read(self, number: int) -> list[Any]:
        """The images of a row group."""
        parquet = pyarrow_parquet()
        try:
            with open_seekable(self.shard.url) as file:
                there = parquet.ParquetFile(file)
                if there.metadata.row_group(number).total_byte_size > MOST_GROUP_BYTES:
                    raise Unreadable(f"its row group takes more than {MOST_GROUP_BYTES} bytes")
                read: list[Any] = there.read_row_group(number, columns=[self.image])[self.image].to_pylist()
                return read
        except OSError:
            raise
        except (ValueError, RuntimeError) as error:  # pyarrow's errors
            raise Unreadable(first_line(error)) from error


def pyarrow_parquet() -> Any:
    """The module `pyarrow.parquet`.

    Raises:
        DeepSightError: pyarrow is not installed.
    """
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise DeepSightError(
            "Expected the library pyarrow for parquet: data, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[cloud]'"
        ) from error


def open_one(shard: Shard, *, image: str | None) -> ParquetShard | str:
    """A file with all its columns except the images, or the reason why it cannot be read.

    Raises:
        UsageError: there is no column of images.
    """
    parquet = pyarrow_parquet()
    try:
        stamp = shard_stamp(shard.url)
        with open_seekable(shard.url) as file:
            there = parquet.ParquetFile(file)
            features = stored_features(there.schema_arrow.metadata)
            column = image_column(there.schema_arrow.names, image or image_feature(features))
            rest = [name for name in there.schema_arrow.names if name != column]
            frame = pl.DataFrame(pl.from_arrow(there.read(columns=rest)))
            bounds = [0]
            for number in range(there.metadata.num_row_groups):
                bounds.append(bounds[-1] + there.metadata.row_group(number).num_rows)
        return ParquetShard(shard, stamp, frame, column, bounds, names_by_column(features))
    except (OSError, ValueError, RuntimeError) as error:
        return first_line(error)


def image_column(columns: Sequence[str], named: str | None) -> str:
    """The column of the images.

    Raises:
        UsageError: the named column does not exist, or there is none with a usual name.
    """
    if named is not None and named not in columns:
        offered = near_names(named, list(columns))
        raise UsageError(f"Expected the name of a column for 'image', received '{named}'; {offered}")
    found = named or next((name for name in IMAGES if name in columns), None)
    if found is None:
        raise UsageError(f"Expected a column of images, received {list(columns)}. Name it: ?image=COLUMN")
    return found


def stored_features(metadata: Mapping[bytes, bytes] | None) -> dict[str, dict[str, Any]]:
    """The features of each column that Hugging Face's `datasets` stores in the schema; else empty."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {column: about for column, about in features.items() if isinstance(about, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def image_feature(features: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The only column whose feature is an image; None if there is none or several."""
    found = [column for column, about in features.items() if about.get("_type") == "Image"]
    return found[0] if len(found) == 1 else None


def names_by_column(features: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """By column, the class names of the columns that have them."""
    return {
        column: tuple(str(name) for name in about["names"])
        for column, about in features.items()
        if isinstance(about.get("names"), list)
    }
