"""Images in WebDataset shards: tar files in which the files of one sample share a name."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import polars as pl

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.progress import Log, Progress
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Unreadable
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.listed_data import obtain_listed
from deepsight.obtain.local_file import MOST_FILE_BYTES
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.readers.label_values import positions_of_labels
from deepsight.obtain.readers.metadata import groups_and_rest
from deepsight.obtain.readers.webdataset_index import IndexedShard, ShardImage, indexed_shard
from deepsight.obtain.shards import Shard, expand_parts, stamps_key
from deepsight.obtain.skipped_items import PassedOver

OPTIONS = ("val", "test", "label", "group", "classes", "side", "fit")


def load_webdataset(
    address: DataAddress, *, resolution: int | None, offline: bool, judge: FitJudge | None = None, log: Log
) -> Obtained:
    """The images of the shards that a pattern matches, decoded once into the cache.

    A sample is an image and, under the same name, its label in a `.cls` or `.txt` file, or as `label` in a
    `.json` file, whose other entries are metadata. The options `val=` and `test=` name the shards of these
    parts, `label=` and `group=` entries of the .json, and `classes=a,b,c` the names of numbered classes.

    Raises:
        UsageError: the pattern matches nothing, or an option is wrong.
        DeepSightError: no shard can be read, or the data is too small.
    """
    shards = expand_parts(address, offline=offline)
    return obtain_shards(
        f"webdataset:{address.place}", shards, address, PassedOver(), resolution=resolution, judge=judge,
        log=log,
    )  # fmt: skip


def obtain_shards(
    name: str, shards: Mapping[str, Sequence[Shard]], address: DataAddress, passed_over: PassedOver, *,
    resolution: int | None, judge: FitJudge | None, log: Log,
) -> Obtained:  # fmt: skip
    """The images of the shards of each part, decoded once into the cache.

    Args:
        name: of the data, as in the record.
        shards: by part.
        address: with the options of the data.
        passed_over: counts what is not used.
        resolution: the side in pixels that the study needs; None for the default.
        judge: compares fits if the user gave none; None crops.
        log: receives progress, and what cannot be read or is not used.

    Raises:
        DeepSightError: no shard can be read, or the data is too small.
    """
    entry = address.options.get("label")
    samples = {part: samples_of(part, found, entry, passed_over, log) for part, found in shards.items()}
    listings, classes = sample_listings(samples, address.options)
    return obtain_listed(
        name, address, listings, classes, key=stamps_key(samples), options=OPTIONS, passed_over=passed_over,
        resolution=resolution, judge=judge, log=log,
    )  # fmt: skip


def samples_of(
    part: str, shards: Sequence[Shard], label: str | None, passed_over: PassedOver, log: Log
) -> list[IndexedShard]:
    """The samples of each readable shard; other shards are counted as unused.

    Raises:
        DeepSightError: no shard holds an image.
    """
    found: list[IndexedShard] = []
    progress = Progress(f"shards listed ({part})", len(shards), log)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (shard, index) in enumerate(
            zip(shards, pool.map(partial(indexed_shard, label=label), shards), strict=True), start=1
        ):
            if isinstance(index, str):
                passed_over.add("shards that cannot be read", f"{shard.name} ({index})")
            else:
                stamp, samples, lost = index
                found.append(IndexedShard(shard, stamp, samples))
                if lost:
                    passed_over.add("shards that are damaged towards their end", f"{shard.name} ({lost})")
            progress.done(done)
    if not any(index.samples for index in found):
        why = passed_over.records()
        said = f" The first: {why[0]['first']}." if why else ""
        raise DeepSightError(f"Expected images in the shards of the part {part}, found none.{said}")
    return found


def sample_listings(
    samples: Mapping[str, Sequence[IndexedShard]], options: Mapping[str, str]
) -> tuple[dict[str, Listing], tuple[str, ...]]:
    """The listing of each part, in the order of shards and samples, and the classes.

    Raises:
        UsageError: the option `classes` does not match the classes, or `group` is not an entry.
        DeepSightError: no sample has a label.
    """
    flat = {
        part: [(i.shard, sample) for i in found for sample in i.samples] for part, found in samples.items()
    }
    if all(sample.label is None for rows in flat.values() for _, sample in rows):
        shard, sample = next(row for rows in flat.values() for row in rows)
        raise DeepSightError(
            "Expected a label as .cls, .txt or .json beside each image of the shards, found none; the first "
            f"is {shard.name}/{sample.file}. If folders in the archive are the classes, unpack it, and name "
            "the folder: --data folder:PATH. If the .json has another entry, name it: ?label=ENTRY"
        )
    everything = one_kind([sample.label for rows in flat.values() for _, sample in rows])
    listings: dict[str, Listing] = {}
    classes: tuple[str, ...] = ()
    start = 0
    for part, rows in flat.items():
        values = everything[start : start + len(rows)]
        start += len(rows)
        labels, classes = positions_of_labels(values, among=everything)
        frame = pl.DataFrame([dict(sample.about) for _, sample in rows], infer_schema_length=None)
        frame = frame if frame.width else pl.DataFrame()
        group = options.get("group")
        if group is not None and group not in frame.columns:
            raise UsageError(
                f"Expected the entry '{group}' in the .json of the samples, found {frame.columns}."
            )
        groups, metadata = groups_and_rest(frame, group, ()) if frame.width else (None, None)
        names = [f"{shard.name}/{sample.file}" for shard, sample in rows]
        listings[part] = Listing(names, labels, partial(read_sample, rows), groups, metadata)
    return listings, named_classes(classes, options.get("classes"))


def one_kind(values: Sequence[str | int | None]) -> list[str | int | None]:
    """Labels of one type: all as text if any is text."""
    if any(isinstance(value, str) for value in values):
        return [None if value is None else str(value) for value in values]
    return list(values)


def named_classes(classes: tuple[str, ...], given: str | None) -> tuple[str, ...]:
    """The names that the option `classes` gives to numbered classes.

    Raises:
        UsageError: the names do not match the numbers, or the classes already have names.
    """
    if given is None:
        return classes
    names = tuple(name.strip() for name in given.split(","))
    if not all(name.isdecimal() for name in classes):
        raise UsageError(f"Expected ?classes= only for numbered classes, received classes {classes[:12]}.")
    if len(names) <= int(classes[-1]) or len(set(names)) < len(names) or "" in names:
        raise UsageError(
            f"Expected in ?classes= a different name for each number up to {classes[-1]}, received "
            f"{len(names)}: {given}."
        )
    return tuple(names[int(number)] for number in classes)


def read_sample(rows: Sequence[tuple[Shard, ShardImage]], row: int) -> bytes:
    """The encoded image of a row.

    Raises:
        Unreadable: it is too large, or the shard is truncated.
        OSError: it cannot be read.
    """
    shard, sample = rows[row]
    if sample.size > MOST_FILE_BYTES:
        raise Unreadable(f"{sample.size} bytes, more than {MOST_FILE_BYTES}")
    return shard.read(sample.offset, sample.size)
