"""Images on disk that may exceed memory: written as a stream, read by rows."""

import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from deepsight.core.dataset import SelectedImages
from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import atomic_path
from deepsight.core.files.damage import DAMAGE
from deepsight.obtain.sources import SourceError

PIXEL = np.dtype(np.uint8)


class StoredImages:
    """uint8 images (n, h, w, 3) in a .npy file; indexing reads the selected rows, as a copy.

    A memory map counts every page that was touched as the process's memory. This class does not, so training
    on 6 GB of images needs only the memory of its batches.
    """

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            SourceError: there is no such file, or its size does not match its header.
        """
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)  # stays readable if the cache removes the file
            self.shape, self.offset = read_header(self._file)
            size = os.fstat(self._file.fileno()).st_size
        except FileNotFoundError as error:
            raise SourceError(f"nothing is stored yet in {path.parent}") from error
        except DAMAGE as error:
            raise SourceError(f"{path} is damaged ({error})") from error
        if size != self.offset + int(np.prod(self.shape)):
            raise SourceError(f"{path} is damaged ({size} bytes)")
        self.dtype: np.dtype[Any] = PIXEL
        self._rows = np.arange(self.shape[0])
        self._turn = threading.Lock()  # threads share one position in the file

    def select(self, rows: NDArray[np.int64]) -> SelectedImages:
        """A lazy selection of these rows."""
        return SelectedImages(self, rows)

    def __reduce__(self) -> tuple[type["StoredImages"], tuple[Path]]:
        return StoredImages, (self.path,)  # another process opens the file itself

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        wanted = self._rows[rows]
        images = np.empty((*wanted.shape, *self.shape[1:]), PIXEL)
        self._read(wanted.reshape(-1), images.reshape(wanted.size, int(np.prod(self.shape[1:]))))
        return images

    def _read(self, rows: NDArray[np.int64], into: NDArray[np.uint8]) -> None:
        """Read the pixels of each row into its place (m, h * w * 3)."""
        each = into.shape[1]
        with self._turn:
            for row, pixels in zip(rows.tolist(), into, strict=True):
                self._file.seek(self.offset + row * each)
                if self._file.readinto(pixels) != each:
                    raise DeepSightError(
                        f"Expected {self.path} unchanged while in use, but row {row} is gone."
                    )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        # NumPy requires `copy` in the signature; reading the pixels always makes a copy.
        return np.asarray(self[:], dtype=dtype)

    def sha256(self) -> str:
        """The SHA-256 of the pixels, which are read as a stream."""
        digest = hashlib.sha256()
        with self._turn:
            self._file.seek(self.offset)
            while block := self._file.read(2**22):
                digest.update(block)
        return digest.hexdigest()


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], int]:
    """The shape and the offset in bytes of the uint8 array in an open .npy file.

    Raises:
        ValueError: it is not a .npy file of uint8 in C order.
    """
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version of the .npy format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != PIXEL or fortran:
        raise ValueError(f"{dtype} where uint8 in C order was expected")
    return shape, file.tell()


def write_images(
    target: Path, batches: Iterable[NDArray[np.uint8]], *, image_shape: tuple[int, ...]
) -> tuple[int, str]:
    """Write batches of images (m, *image_shape) as one .npy file, atomically.

    Returns:
        The number of images, and the SHA-256 of their pixels.

    Raises:
        DeepSightError: the folder cannot be written to, or the disk is full.
    """
    n, digest = 0, hashlib.sha256()
    with atomic_path(target) as path, path.open("wb") as file:
        write_header(file, (0, *image_shape))
        for batch in batches:
            content = np.ascontiguousarray(batch).data
            file.write(content)
            digest.update(content)
            n += len(batch)
        # The header is padded, so the number of images can be filled in once it is known.
        file.seek(0)
        write_header(file, (n, *image_shape))
    return n, digest.hexdigest()


def write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The .npy header of a uint8 array."""
    about = {"descr": PIXEL.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)
