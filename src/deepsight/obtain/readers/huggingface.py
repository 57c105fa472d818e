"""Data through the `datasets` library: a name on a hub, a folder that it saved, or files that it reads."""

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError, UsageError, first_line, near_names
from deepsight.core.progress import Log
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.connectivity import require_answer
from deepsight.obtain.crop_or_pad import FitJudge
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.crop import Unreadable
from deepsight.obtain.decoding.decode import Listing
from deepsight.obtain.listed_data import obtain_listed
from deepsight.obtain.local_file import read_local_file, user_path
from deepsight.obtain.obtained import Obtained
from deepsight.obtain.readers.huggingface_labels import labels_and_classes
from deepsight.obtain.readers.huggingface_stream import is_streamed, load_streamed
from deepsight.obtain.readers.part_names import first_of_each_part
from deepsight.obtain.skipped_items import PassedOver
from deepsight.obtain.sources import SourceError

OPTIONS = ("image", "label", "group", "config", "stream", "side", "fit")


def load_huggingface(
    address: DataAddress, *, resolution: int | None, offline: bool, judge: FitJudge | None = None, log: Log
) -> Obtained:
    """The images and labels of a data set, decoded once into the cache.

    The options `image` and `label` name the columns if they are not the only ones of their kind; with
    `stream=yes` the files are not downloaded as a whole.

    Raises:
        UsageError: a column does not exist, or several could be meant.
        DeepSightError: the library is not installed, or the data cannot be loaded or is too small.
    """
    if is_streamed(address):
        if not user_path(address.place).exists():
            choose_network(offline=offline, log=log)
        return load_streamed(
            address, datasets_library(), resolution=resolution, offline=offline, judge=judge, log=log
        )
    passed_over = PassedOver()
    parts = named_parts(open_dataset(address, offline=offline, log=log), passed_over)
    first = next(iter(parts.values())).features
    image = feature_column(first, "Image", address.options.get("image"), option="image")
    label = feature_column(first, "ClassLabel", address.options.get("label"), option="label")
    parts = usable_parts(parts, image, label, passed_over)
    labels, classes = labels_and_classes(parts, label, passed_over, log)
    parts = {part: data for part, data in parts.items() if part in labels}
    listings = {
        part: part_listing(part, data, labels[part], image, label, address) for part, data in parts.items()
    }
    key = columns_fingerprint(address, parts)
    return obtain_listed(
        f"hf:{address.place}", address, listings, classes, key=key, options=OPTIONS,
        passed_over=passed_over, resolution=resolution, judge=judge, log=log,
    )  # fmt: skip


def open_dataset(address: DataAddress, *, offline: bool, log: Log) -> Any:
    """What `datasets` returns for a name or a path: a data set, or several by part.

    Raises:
        DeepSightError: the library is not installed, or cannot load it.
    """
    local = user_path(address.place)
    place = str(local) if local.exists() else address.place
    if not local.exists():
        choose_network(offline=offline, log=log)
    datasets = datasets_library()
    try:
        if any((local / mark).is_file() for mark in ("dataset_dict.json", "state.json")):
            return datasets.load_from_disk(place)
        return datasets.load_dataset(place, address.options.get("config"))
    except Exception as error:  # the library raises many kinds of errors for missing data
        raise DeepSightError(
            f"Expected the data set '{address.place}', but `datasets` failed: {first_line(error)}. "
            "Check the name, the network, and whether it needs ?config=NAME."
        ) from error


def datasets_library() -> Any:
    """The module `datasets`.

    Raises:
        DeepSightError: it is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise DeepSightError(
            "Expected the library `datasets` for hf: data, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[hub]'"
        ) from error
    return datasets


def choose_network(*, offline: bool, log: Log) -> None:
    """Set the hub's client offline if asked to, or if the hub does not answer, since it retries for long."""
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        if not offline:
            require_answer(hub)
    except SourceError as error:
        log(f"{error}; only data in the hub's local cache can be used.")
        offline = True
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def named_parts(data: Any, passed_over: PassedOver) -> dict[str, Any]:
    """The parts by our names: train, val and test, or all; other parts are counted as unused.

    Raises:
        DeepSightError: no part is named train.
    """
    if not isinstance(data, Mapping):
        return {"all": data}
    names = first_of_each_part(list(data))
    parts = {part: data[name] for part, name in names.items()}
    if "train" not in parts:
        raise DeepSightError(
            f"Expected a part named train, received {list(data)}. Rename a part, or save one part alone."
        )
    passed_over.add_all("parts", [name for name in data if name not in names.values()])
    return parts if len(parts) > 1 else {"all": parts["train"]}


def usable_parts(parts: Mapping[str, Any], image: str, label: str, passed_over: PassedOver) -> dict[str, Any]:
    """The parts that have both columns; other parts, and columns of no use, are counted as unused.

    Raises:
        UsageError: the training part lacks a column.
    """
    used = {}
    for part, data in parts.items():
        missing = [name for name in (image, label) if name not in data.features]
        if missing and part in ("train", "all"):
            raise UsageError(f"Expected the columns '{image}' and '{label}', {part} lacks {missing}.")
        if missing:
            passed_over.add(f"parts without a column {missing[0]}", part)
        else:
            used[part] = data
    others = [name for name in next(iter(parts.values())).features if name not in (image, label)]
    passed_over.add_all("columns", [name for name in others if not is_plain(used[next(iter(used))], name)])
    return used


def is_plain(data: Any, name: str) -> bool:
    """Whether a column holds text or numbers, and so can be metadata."""
    return type(data.features[name]).__name__ in ("Value", "ClassLabel")


def feature_column(features: Mapping[str, Any], kind: str, named: str | None, *, option: str) -> str:
    """The named column, or the only one of its kind.

    Args:
        features: of the data set, by column.
        kind: the type of the column's feature, such as "Image".
        named: the column that the user named; None if none.
        option: the option that names it, for the message.

    Raises:
        UsageError: the named column does not exist, or there is not exactly one of this kind.
    """
    if named is not None:
        if named not in features:
            offered = near_names(named, list(features))
            raise UsageError(f"Expected the name of a column for '{option}', received '{named}'; {offered}")
        return named
    found = [name for name, feature in features.items() if type(feature).__name__ == kind]
    if not found and kind == "ClassLabel" and "label" in features:
        return "label"
    if len(found) != 1:
        raise UsageError(
            f"Expected one column of kind {kind}, received {found} among {list(features)}. "
            f"Name it: ?{option}=COLUMN"
        )
    return found[0]


def part_listing(part: str, data: Any, labels: Ints, image: str, label: str, address: DataAddress) -> Listing:
    """The rows of a part before they are decoded."""
    group = address.options.get("group")
    plain = [name for name in data.features if is_plain(data, name) and name not in (image, label, group)]
    metadata = pl.DataFrame({name: list(data[name]) for name in plain}, strict=False) if plain else None
    names = image_names(part, data, image, user_path(address.place))
    return Listing(names, labels, image_reader(data, image), group_names(data, group), metadata)


def image_names(part: str, data: Any, image: str, place: Path) -> list[str]:
    """The file of each image, relative to `place` if inside it; part and row if files are not unique."""
    paths = image_paths(data, image)
    if paths is None or None in paths or len(set(paths)) < len(paths):
        return [f"{part}/{row}" for row in range(len(data))]
    root = str(place.resolve()) + os.sep
    return [str(path).removeprefix(root).replace(os.sep, "/") for path in paths]


def image_paths(data: Any, image: str) -> list[str | None] | None:
    """The path that the table stores for each image; None if it stores no paths. No image is read."""
    import datasets

    encoded = data.select_columns([image]).cast_column(image, datasets.Image(decode=False))
    if not hasattr(encoded, "flatten"):
        return None
    try:
        return list(encoded.flatten()[f"{image}.path"])
    except (KeyError, ValueError):  # tables of earlier versions hold bytes alone
        return None


def group_names(data: Any, group: str | None) -> list[str] | None:
    """The group of each row, "" for a row without one; None if no column was named.

    Raises:
        UsageError: the column does not exist.
    """
    if group is None:
        return None
    if group not in data.features:
        raise UsageError(
            f"Expected the name of a column for 'group', received '{group}'; "
            f"{near_names(group, list(data.features))}"
        )
    return ["" if value is None else str(value) for value in data[group]]


def image_reader(data: Any, image: str) -> Any:
    """A function that returns the encoded image of a row; the library does not decode it."""
    import datasets

    encoded = data.select_columns([image]).cast_column(image, datasets.Image(decode=False))
    return partial(read_item, encoded, image)


def read_item(encoded: Any, image: str, row: int) -> bytes:
    """The bytes of an image, from the table or from the file that it refers to.

    Raises:
        Unreadable: there is no image.
        OSError: the file cannot be read.
    """
    item = encoded[row][image]
    if item is None:
        raise Unreadable("it has no image")
    return bytes(item["bytes"]) if item["bytes"] is not None else read_local_file(Path(item["path"]))


def columns_fingerprint(address: DataAddress, parts: Mapping[str, Any]) -> str:
    """SHA-256 of the options, and of the path, size and modification time of the table files."""
    digest = hashlib.sha256(
        repr(
            (address.place, sorted(address.options.items()), [len(data) for data in parts.values()])
        ).encode()
    )
    for part, data in sorted(parts.items()):
        for file in data.cache_files:
            path = Path(file["filename"])
            digest.update(f"{part}\0{path}\0".encode() + file_stamp(path))
    return digest.hexdigest()
