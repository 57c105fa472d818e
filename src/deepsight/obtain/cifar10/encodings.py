"""The encodings in which CIFAR-10 is published, decoded in the official order."""

import io
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepsight.obtain.obtained import Part, Parts
from deepsight.obtain.sources import SourceError

Contents = Mapping[str, bytes]
BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
BATCH_ROWS, SIDE, PIXELS = 10_000, 32, 32 * 32


@dataclass(frozen=True)
class Encoding:
    """One published encoding of the data set.

    Attributes:
        label: its name in error messages.
        marker: the file that identifies a folder with this encoding.
        names: the files that hold the data.
        decode: decodes the content of these files to the parts.
    """

    label: str
    marker: str
    names: tuple[str, ...]
    decode: Callable[[Contents], Parts]

    def parts(self, contents: Contents) -> Parts:
        """The decoded parts.

        Raises:
            SourceError: the content does not have this encoding.
        """
        try:
            return self.decode(contents)
        except Exception as error:  # damaged bytes make unpicklers and image readers raise almost anything
            raise SourceError(f"the {self.label} cannot be decoded ({error})") from error


class ArraysOnly(pickle.Unpickler):
    """An unpickler for numbers, strings, containers and NumPy arrays; it refuses what could run code."""

    def find_class(self, module: str, name: str) -> Any:
        """The few names that a pickled array needs, under the module names of NumPy 1 and NumPy 2."""
        allowed = {
            "numpy.core.multiarray._reconstruct": np.empty(0).__reduce__()[0],
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
        }
        known = f"{module.replace('numpy._core', 'numpy.core')}.{name}"
        if known not in allowed:
            raise pickle.UnpicklingError(f"a batch may hold only arrays; this one asks for {module}.{name}")
        return allowed[known]


def images_of_planes(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (n, 32, 32, 3) from rows of R, G and B planes (n, 3072)."""
    return np.ascontiguousarray(planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def stack_parts(parts: Sequence[Part]) -> Part:
    """Several batches joined to one part."""
    images = np.concatenate([np.asarray(part.images) for part in parts])
    return Part(images, np.concatenate([part.labels for part in parts]))


def decode_pickle(content: bytes) -> Part:
    """One python batch: a pickled dict with `data` (10000, 3072) and `labels`."""
    batch = ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    data = np.asarray(batch[b"data"])
    if data.dtype != np.uint8 or data.shape[1:] != (3 * PIXELS,):
        raise ValueError(f"expected uint8 rows of {3 * PIXELS} values, received {data.dtype} {data.shape}")
    return Part(images_of_planes(data), np.asarray(batch[b"labels"], dtype=np.int64))


def decode_records(content: bytes) -> Part:
    """One binary batch: records of a label byte and 3,072 bytes of R, G and B planes."""
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + 3 * PIXELS)
    return Part(images_of_planes(records[:, 1:]), records[:, 0].astype(np.int64))


def decode_sheet(content: bytes) -> NDArray[np.uint8]:
    """The images of one PNG sheet of 10,000 rows, an image of 32 x 32 pixels in each."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as sheet:
        if sheet.size != (PIXELS, BATCH_ROWS):
            raise ValueError(f"expected a sheet of {PIXELS} x {BATCH_ROWS} pixels, received {sheet.size}")
        return np.asarray(sheet.convert("RGB")).reshape(-1, SIDE, SIDE, 3)


def decode_sheets(names: Sequence[str], labels: str, contents: Contents) -> Part:
    """One part from the sheets of the npm package and its list of labels."""
    images = np.concatenate([decode_sheet(contents[name]) for name in names])
    given = np.asarray(json.loads(contents[labels]), dtype=np.int64)
    if given.shape != (len(images),):
        raise ValueError(f"expected {len(images)} labels, received shape {given.shape}")
    return Part(images, given)


def batches_encoding(label: str, suffix: str, decode: Callable[[bytes], Part]) -> Encoding:
    """An encoding of five training batches and a test batch, one file each."""
    train, test = tuple(f"{name}{suffix}" for name in BATCHES), f"test_batch{suffix}"
    return Encoding(
        label=label,
        marker=test,
        names=(*train, test),
        decode=lambda contents: {
            "train": stack_parts([decode(contents[name]) for name in train]),
            "test": decode(contents[test]),
        },
    )


PYTHON = batches_encoding("python batches", "", decode_pickle)
BINARY = batches_encoding("binary batches", ".bin", decode_records)
SHEETS = Encoding(
    label="PNG sheets",
    marker="test_batch.png",
    # The misspelling is the package's own.
    names=(*(f"{name}.png" for name in BATCHES), "test_batch.png", "train_lables.json", "test_lables.json"),
    decode=lambda contents: {
        "train": decode_sheets([f"{name}.png" for name in BATCHES], "train_lables.json", contents),
        "test": decode_sheets(["test_batch.png"], "test_lables.json", contents),
    },
)
