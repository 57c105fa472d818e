"""Own data through the `datasets` library: a name on a hub, a folder that it saved, or files it reads."""

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError, UsageError, near_names
from deepsight.core.progress import Log
from deepsight.obtain.cache import file_stamp
from deepsight.obtain.connectivity import first_line, require_answer
from deepsight.obtain.crop import Unreadable
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decode import Listing, decoded_parts
from deepsight.obtain.sources import Obtained, SourceError
from deepsight.obtain.splits import PART_NAMES, custom_data, positions_of_labels, split_custom_data
from deepsight.obtain.stored_size import stored_side

OPTIONS = ("image", "label", "config", "side")


def load_huggingface(address: DataAddress, *, resolution: int | None, offline: bool, log: Log) -> Obtained:
    """The images and labels of a data set as squares, decoded once into the cache.

    The options `image` and `label` name the columns, where they are not the only ones of their kind.

    Raises:
        UsageError: a column is not there, or cannot be told from others.
        DeepSightError: the library is absent, the data cannot be had, or it has too few classes or images.
    """
    parts = named_parts(open_dataset(address, offline=offline, log=log))
    features = next(iter(parts.values())).features
    image = find_column(features, "Image", address.options.get("image"), option="image")
    label = find_column(features, "ClassLabel", address.options.get("label"), option="label")
    labels, classes = labels_and_classes(parts, label)
    listings = {
        part: Listing([f"{part}/{row}" for row in range(len(data))], labels[part], image_reader(data, image))
        for part, data in parts.items()
    }
    side = stored_side(address, listings, resolution=resolution, log=log)
    decoded = decoded_parts(listings, key=columns_fingerprint(address, parts), side=side, log=log)
    names = {part: there.names for part, there in listings.items()}
    return split_custom_data(
        custom_data(f"hf:{address.place}", decoded, classes, names=names, log=log), log=log
    )


def open_dataset(address: DataAddress, *, offline: bool, log: Log) -> Any:
    """What `datasets` gives for a name or a path: a data set, or several by part."""
    local = Path(address.place).expanduser()
    place = str(local) if local.exists() else address.place
    if not local.exists():
        choose_network(offline=offline, log=log)
    try:
        import datasets
    except ImportError as error:
        raise DeepSightError(
            "Expected the library `datasets` for hf: data, but it is not installed. "
            "Install it: pip install 'deepsight-forensics[hub]'"
        ) from error
    try:
        if any((local / mark).is_file() for mark in ("dataset_dict.json", "state.json")):
            return datasets.load_from_disk(place)
        return datasets.load_dataset(place, address.options.get("config"))
    except Exception as error:  # the library raises errors of many kinds for what is not there
        raise DeepSightError(
            f"Expected the data set '{address.place}', but `datasets` said: {first_line(error)}. "
            "Check the name, the network, and whether it needs ?config=NAME."
        ) from error


def choose_network(*, offline: bool, log: Log) -> None:
    """Set the hub's client offline where asked to, or where the hub is silent: its retries take long."""
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        if not offline:
            require_answer(hub)
    except SourceError as error:
        log(f"{error}; only what is in the hub's own cache can be used.")
        offline = True
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def named_parts(data: Any) -> dict[str, Any]:
    """The parts by our names: train, val, test, or all."""
    if not isinstance(data, Mapping):
        return {"all": data}
    parts = {PART_NAMES[name.lower()]: part for name, part in data.items() if name.lower() in PART_NAMES}
    if "train" not in parts:
        raise DeepSightError(f"Expected a part named train, received {list(data)}.")
    return parts if len(parts) > 1 else {"all": parts["train"]}


def find_column(features: Mapping[str, Any], kind: str, named: str | None, *, option: str) -> str:
    """The column that was named, or the only one of its kind.

    Raises:
        UsageError: it is not there, or there are none or several.
    """
    if named is not None:
        if named not in features:
            offered = near_names(named, list(features))
            raise UsageError(f"Expected the name of a column for '{option}', received '{named}'; {offered}")
        return named
    found = [name for name, feature in features.items() if type(feature).__name__ == kind]
    if len(found) != 1:
        raise UsageError(
            f"Expected one column of kind {kind}, received {found} among {list(features)}. "
            f"Name it: ?{option}=COLUMN"
        )
    return found[0]


def labels_and_classes(parts: Mapping[str, Any], label: str) -> tuple[dict[str, Ints], tuple[str, ...]]:
    """The labels of each part as positions in the classes, -1 where there is none, and the classes."""
    values = {part: list(data[label]) for part, data in parts.items()}
    names = getattr(next(iter(parts.values())).features[label], "names", None)
    if names:
        given = {part: [-1 if v is None else v for v in column] for part, column in values.items()}
        return {part: np.asarray(v, dtype=np.int64) for part, v in given.items()}, tuple(names)
    everything = [value for column in values.values() for value in column]
    named = {part: positions_of_labels(column, among=everything) for part, column in values.items()}
    return {part: positions for part, (positions, _) in named.items()}, next(iter(named.values()))[1]


def image_reader(data: Any, image: str) -> Any:
    """Gives the encoded image of a row, without the library decoding it."""
    import datasets

    encoded = data.select_columns([image]).cast_column(image, datasets.Image(decode=False))
    return partial(read_item, encoded, image)


def read_item(encoded: Any, image: str, row: int) -> bytes:
    """The bytes of an image that the table holds, or that lies in a file.

    Raises:
        Unreadable: there is none.
    """
    item = encoded[row][image]
    if item is None:
        raise Unreadable("it has no image")
    return bytes(item["bytes"]) if item["bytes"] is not None else Path(item["path"]).read_bytes()


def columns_fingerprint(address: DataAddress, parts: Mapping[str, Any]) -> str:
    """SHA-256 of the columns asked for and of the path, size and time of change of the table files."""
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
