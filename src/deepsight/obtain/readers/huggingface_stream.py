"""Data sets of a hub that are read file by file, without downloading them as a whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from deepsight.core.errors import DeepSightError, UsageError, first_line
from deepsight.core.progress import Log
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.local_file import user_path
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.readers import parquet, webdataset
from deepsight.obtain.readers.part_names import first_of_each_part
from deepsight.obtain.shards import Shard, matching, short_names
from deepsight.obtain.skipped_items import PassedOver

YES, NO = ("yes", "true", "1"), ("no", "false", "0")


def is_streamed(address: DataAddress) -> bool:
    """Whether the option `stream` is set.

    Raises:
        UsageError: it is neither yes nor no.
    """
    given = address.options.get("stream", "no").lower()
    if given not in YES + NO:
        raise UsageError(f"Expected stream=yes or stream=no, received '{given}'.")
    return given in YES


def load_streamed(
    address: DataAddress, library: Any, *, resolution: int | None, offline: bool,
    judge: FitJudge | None = None, log: Log,
) -> Obtained:  # fmt: skip
    """The images of a data set whose files are Parquet or WebDataset shards, decoded once into the cache.

    The `datasets` library lists the files; they are read through fsspec, a row group or a range of bytes at a
    time. Only the decoded images are stored on this machine.

    Args:
        address: the name or path, and the options of the data set.
        library: the module `datasets`.
        resolution: the side in pixels that the study needs; None for the default.
        offline: refuse what needs the network.
        judge: compares fits if the user gave none; None crops.
        log: receives progress, and what cannot be read or is not used.

    Raises:
        UsageError: a column does not exist, or the files need the network and `offline` is set.
        DeepSightError: the files have another format, cannot be read, or hold too few classes or images.
    """
    passed_over = PassedOver()
    files = shards_of_parts(files_of_parts(address, library), passed_over, offline=offline)
    named = f"hf:{address.place}"
    urls = [shard.url for shards in files.values() for shard in shards]
    if all(url.endswith(".parquet") for url in urls):
        return parquet.obtain_files(
            named, files, address, passed_over, resolution=resolution, offline=offline, judge=judge, log=log
        )
    if all(url.endswith(".tar") for url in urls):
        return webdataset.obtain_shards(
            named, files, address, passed_over, resolution=resolution, judge=judge, log=log
        )
    raise DeepSightError(
        f"Expected Parquet files or WebDataset shards behind {named} to stream, received {urls[0]}. Without "
        "?stream=yes the library downloads and reads it."
    )


def files_of_parts(address: DataAddress, library: Any) -> Mapping[str, Sequence[str]]:
    """The URLs of the files of each part, by the data set's names of the parts. No file is read.

    Raises:
        DeepSightError: the library finds no such data set, or it has no files.
    """
    local = user_path(address.place)
    place = str(local) if local.exists() else address.place
    try:
        builder = library.load_dataset_builder(place, address.options.get("config"))
        files = {str(part): [str(url) for url in urls] for part, urls in builder.config.data_files.items()}
    except Exception as error:  # the library raises many kinds of errors for missing data
        raise DeepSightError(
            f"Expected the files of the data set '{address.place}', but `datasets` failed: "
            f"{first_line(error)}. Check the name, the network, and whether it needs ?config=NAME; a folder "
            "that it saved is read without ?stream=yes."
        ) from error
    return files


def shards_of_parts(
    files: Mapping[str, Sequence[str]], passed_over: PassedOver, *, offline: bool
) -> dict[str, list[Shard]]:
    """The files by our names of the parts: train, val and test, or all; other parts are counted as unused.

    Raises:
        DeepSightError: no part is named train.
        UsageError: files need the network, and `offline` is set.
    """
    names = first_of_each_part(list(files))
    parts = {part: files[name] for part, name in names.items()}
    if "train" not in parts:
        raise DeepSightError(f"Expected a part named train, received {list(files)}.")
    passed_over.add_all("parts", [name for name in files if name not in names.values()])
    found = {}
    for part, urls in parts.items():
        there = [url for one in urls for url in matching(one, offline=offline)]
        found[part] = [Shard(url, name) for url, name in zip(there, short_names(there), strict=True)]
    return found if len(found) > 1 else {"all": found["train"]}
