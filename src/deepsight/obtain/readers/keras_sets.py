"""CIFAR-100, MNIST and Fashion-MNIST through `keras.datasets`, verified by the digests of their files."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

from deepsight.core.errors import DeepSightError, UsageError, first_line, near_names
from deepsight.core.files.atomic import write_json
from deepsight.core.progress import Log
from deepsight.obtain.cache import cache_folder, map_part, save_part
from deepsight.obtain.cifar10.from_keras import HTTP_ERRORS, STALL_SECONDS, rgb_part, stall_limit
from deepsight.obtain.connectivity import require_answer
from deepsight.obtain.custom_data import CustomData
from deepsight.obtain.data_uri import DataAddress
from deepsight.obtain.decoding.decode import DIGEST_BYTES
from deepsight.obtain.local_file import user_path
from deepsight.obtain.obtained import Obtained, Part, Parts
from deepsight.obtain.sources import SourceError
from deepsight.obtain.splits import split_custom_data

OPTIONS: tuple[str, ...] = ()
BUCKET = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
CIFAR100_NAMES = """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
    cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
    leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter
    palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket
    rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper
    table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf
    woman worm"""
CIFAR100_CLASSES = tuple(CIFAR100_NAMES.split())


@dataclass(frozen=True)
class KerasSet:
    """A data set of `keras.datasets`.

    Attributes:
        origin: the URL from which Keras downloads it.
        classes: names of the classes, in the order of the labels.
        files: the files in Keras's folder `datasets`, with hash algorithm and digest, as published by Keras
            (MNIST) and torchvision (the others).
    """

    origin: str
    classes: tuple[str, ...]
    files: Mapping[str, tuple[str, str]]


SETS = {
    "mnist": KerasSet(
        f"{BUCKET}mnist.npz",
        tuple("0123456789"),
        {"mnist.npz": ("sha256", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")},
    ),
    "fashion_mnist": KerasSet(
        f"{BUCKET}train-labels-idx1-ubyte.gz",
        (
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
            "Ankle boot",
        ),
        {
            "fashion-mnist/train-images-idx3-ubyte.gz": ("md5", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            "fashion-mnist/train-labels-idx1-ubyte.gz": ("md5", "25c81989df183df01b3e8a0aad5dffbe"),
            "fashion-mnist/t10k-images-idx3-ubyte.gz": ("md5", "bef4ecab320f06d8554ea6380940ec79"),
            "fashion-mnist/t10k-labels-idx1-ubyte.gz": ("md5", "bb300cfdad3c16e7a12a480ee83cd310"),
        },
    ),
    "cifar100": KerasSet(
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        CIFAR100_CLASSES,
        {
            "cifar-100-python-target/cifar-100-python/train": ("md5", "16019d7e3df5f24257cddd939b257f8d"),
            "cifar-100-python-target/cifar-100-python/test": ("md5", "f0ef6b0ae62326f3e7ffdfab6717acfc"),
        },
    ),
}  # fmt: skip


def load_keras_set(address: DataAddress, *, offline: bool, log: Log) -> Obtained:
    """The training and test part of a data set of `keras.datasets`.

    Raises:
        UsageError: it is not one of the three.
        DeepSightError: it cannot be loaded, or its digest is wrong.
    """
    name = address.place
    if name not in SETS:
        raise UsageError(
            f"Expected keras: with one of {', '.join(SETS)}, received '{name}'; {near_names(name, [*SETS])}"
        )
    folder = cache_folder() / "keras" / name
    try:
        parts, digests = cached_parts(folder)
    except SourceError:
        parts, digests = kept_parts(folder, fetched_parts(name, offline=offline))
    log(f"keras:{name}: the digests of {', '.join(SETS[name].files)} were the expected ones.")
    named = {part: with_digests(data) for part, data in parts.items()}
    about = {"proved_by": {file: ":".join(known) for file, known in SETS[name].files.items()}}
    return split_custom_data(
        CustomData(f"keras:{name}", named, SETS[name].classes, digests, about=about),
        share=address.test_share, log=log,
    )  # fmt: skip


def fetched_parts(name: str, *, offline: bool) -> Parts:
    """The parts that Keras loads, from files with the published digests.

    Raises:
        DeepSightError: the host cannot be reached, the loader failed, or a file has another digest.
    """
    wanted = SETS[name]
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        there = files_there(wanted)
        require_published(wanted, there)  # first: Keras would open them, and CIFAR-100 is pickled
        if len(there) < len(wanted.files):
            require_origin(wanted.origin, offline=offline)
        train, test = loaded_by_keras(name)
        require_published(wanted, [*wanted.files])
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise DeepSightError(
            f"Expected {name} through keras.datasets, but {first_line(error)}. Run once with internet access "
            f"and without --offline, or put the published files into {keras_folder()}."
        ) from error
    return {"train": rgb_part(*train), "test": rgb_part(*test)}


def loaded_by_keras(name: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The arrays that Keras loads, after a download if need be.

    Raises:
        SourceError: the files that it downloaded are not the published ones, which may be why it failed.
        Exception: it failed for another reason.
    """
    try:
        # Keras writes its progress to stdout, which is reserved for results.
        with stall_limit(STALL_SECONDS), redirect_stdout(sys.stderr):
            train, test = import_module(f"keras.datasets.{name}").load_data()
    except Exception:
        require_published(SETS[name], files_there(SETS[name]))
        raise
    return train, test


def require_origin(url: str, *, offline: bool) -> None:
    """Refuse a download that cannot succeed.

    Raises:
        SourceError: the network must not be used, or the host does not have the file.
    """
    if offline:
        raise SourceError("it is not in Keras's cache, and --offline is set")
    if (status := require_answer(url)) >= HTTP_ERRORS:
        raise SourceError(f"{url} answers with status {status}")


def keras_folder() -> Path:
    """The folder of the files that Keras downloads: a temporary one if it cannot write to its own."""
    own = user_path(os.environ.get("KERAS_HOME", "~/.keras"))
    if own.exists() and not os.access(own, os.W_OK):
        own = Path("/tmp" if Path("/tmp").is_dir() else gettempdir()) / ".keras"
    return own / "datasets"


def files_there(wanted: KerasSet) -> list[str]:
    """The files of a data set that are in Keras's folder."""
    return [file for file in wanted.files if (keras_folder() / file).is_file()]


def require_published(wanted: KerasSet, files: Sequence[str]) -> None:
    """Refuse files in Keras's folder that are not the published ones.

    Raises:
        SourceError: a digest differs.
    """
    for file in files:
        algorithm, expected = wanted.files[file]
        with (keras_folder() / file).open("rb") as content:
            received = hashlib.file_digest(content, algorithm).hexdigest()
        if received != expected:
            raise SourceError(
                f"{keras_folder() / file} has the wrong digest: expected {algorithm} {expected}, received "
                f"{received}. Remove this file"
            )


def kept_parts(folder: Path, parts: Parts) -> tuple[Parts, dict[str, str]]:
    """The parts written to the cache, and their digests, which are written last and make the rest valid."""
    for name, part in parts.items():
        save_part(folder, name, part)
    write_json(folder / "sha256.json", {name: part_digest(part) for name, part in parts.items()})
    return cached_parts(folder)


def cached_parts(folder: Path) -> tuple[Parts, dict[str, str]]:
    """The parts in the cache and their digests, which are checked.

    Raises:
        SourceError: they are absent, incomplete or damaged.
    """
    try:
        known = dict(json.loads((folder / "sha256.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(f"nothing is stored yet in {folder}") from error
    parts = {name: map_part(folder, name) for name in known}
    for name, part in parts.items():
        if part_digest(part) != known[name]:
            raise SourceError(f"{folder} is damaged: {name} has another digest than when it was stored")
    return parts, known


def part_digest(part: Part) -> str:
    """SHA-256 of the labels and the pixels of a part."""
    digest = hashlib.sha256(part.labels.data)
    digest.update(np.ascontiguousarray(part.images).data)
    return digest.hexdigest()


def with_digests(part: Part) -> Part:
    """The part with the digest of each image."""
    each = b"".join(
        hashlib.blake2b(image, digest_size=DIGEST_BYTES).digest() for image in np.asarray(part.images)
    )
    return Part(part.images, part.labels, digests=np.frombuffer(each, np.uint8).reshape(-1, DIGEST_BYTES))
