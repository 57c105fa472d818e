"""Images in an .npz file, read some megabytes at a time and converted to uint8 RGB."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Pixels
from deepsight.core.progress import Log
from deepsight.obtain.decoding.bit_depth import OVERSHOOT, Depth, eight_bits, top_of
from deepsight.obtain.decoding.crop import SMALLEST

CHUNK_BYTES = 2**24
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
TOP = 255.0  # the largest 8-bit value
DIM = 127  # if no number is larger, their range does not end at 255
FAINT = 31  # the same for bytes, since dark photographs have larger values


class ArrayReader:
    """An array of images in an .npz file.

    It may have the shape (n, h, w, 3), (n, h, w), (n, h, w, 1), (n, 3, h, w) or (n, 1, h, w). Its type is
    uint8, bool, or numbers from 0, whose range follows from the largest value: 1, 255, 1,023, …, 65,535, …,
    or that value itself if it is below 128 (below 32 for uint8).
    """

    def __init__(self, path: Path, key: str, log: Log, *, beside: Sequence[str] = ()) -> None:
        """Read the header, and the whole array once if its range must be found.

        Args:
            path: the .npz file.
            key: the name of the array.
            log: receives how shape and values are converted.
            beside: the images of other parts, which share the range if they have the same type.

        Raises:
            ValueError: it is not an array of images, or its range is unknown.
        """
        self._path, self._key, self._log = path, key, log
        self._beside = [other for other in beside if other != key]
        with self._open(key) as file:
            self._shape, self._dtype = image_header(file, key)
        self._channels_first = is_channels_first(self._shape)
        height, width = self._shape[2:4] if self._channels_first else self._shape[1:3]
        self.image_shape = (height, width, 3)
        self._top = self._range()
        if self._channels_first:
            log(f"{key} are (n, {self._shape[1]}, h, w): the channels are moved to the end.")
        if self._dtype != np.uint8 or self._top != TOP:
            same = self._top == TOP
            log(f"{key} are {self._dtype}: 0 to {self._top:g} {'are kept' if same else 'become 0 to 255'}.")

    def batches(self) -> Iterator[Pixels]:
        """The images in order, uint8 (m, h, w, 3); grey images get three equal channels."""
        for values in self._blocks(self._key):
            as_they_are = values.dtype == np.uint8 and self._top == TOP
            pixels = values if as_they_are else eight_bits(values, self._top)
            if self._channels_first:
                pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
            if pixels.ndim == 3 or pixels.shape[3] == 1:
                yield np.repeat(pixels.reshape(*pixels.shape[:3], 1), 3, axis=3)
            else:
                yield pixels

    def _open(self, key: str) -> IO[bytes]:
        # The member keeps the archive open.
        return zipfile.ZipFile(self._path).open(f"{key}.npy")

    def _blocks(self, key: str) -> Iterator[NDArray[Any]]:
        """The array as stored, block by block."""
        with self._open(key) as file:
            shape, dtype = image_header(file, key)
            each = int(np.prod(shape[1:])) * dtype.itemsize
            step = max(1, CHUNK_BYTES // max(each, 1))
            for start in range(0, shape[0], step):
                n = min(step, shape[0] - start)
                content = file.read(n * each)
                if len(content) != n * each:
                    raise EOFError(f"the file ends after {start} images of {shape[0]}")
                yield np.frombuffer(content, dtype=dtype).reshape(n, *shape[1:])

    def _blocks_of_all_parts(self) -> Iterator[NDArray[Any]]:
        """The blocks of this array, then those of other parts' arrays of the same type."""
        for key in (self._key, *self._beside):
            for values in self._blocks(key):
                if values.dtype != self._dtype:
                    break
                yield values

    def _range(self) -> float:
        """The value that becomes 255."""
        if self._dtype.kind == "b":
            return 1.0
        low, high = 0.0, 0.0
        for values in self._blocks_of_all_parts():
            ends = np.array([values.min(), values.max()], dtype=np.float64)
            if self._dtype == np.uint8 and ends[1] > FAINT:
                return TOP
            if not np.isfinite(ends).all():
                raise ValueError(f"{self._key} hold NaN or infinity")
            low, high = min(low, float(ends[0])), max(high, float(ends[1]))
        fractions = self._dtype.kind == "f" and high <= 1 + OVERSHOOT
        if low < (-OVERSHOOT if fractions else 0):
            raise ValueError(
                f"{self._key} are {self._dtype} from {low:g} to {high:g}, expected numbers from 0. "
                "If they are normalised, undo that"
            )
        if low < 0:
            self._log(f"{self._key} reach from {low:.2g} to {high:.2g}: values beyond 0 and 1 are clipped.")
        dim = 0 < high <= (FAINT if self._dtype == np.uint8 else DIM)
        return high if dim and not fractions else top_of(Depth(str(self._dtype), high))


def is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether images are (n, 3, h, w) or (n, 1, h, w), as in torch."""
    return len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3)


def hint_of_shape(shape: tuple[int, ...]) -> str:
    """How to turn an array of another shape into images; empty if that is not known."""
    if len(shape) == 4 and 4 in (shape[1], shape[3]):
        return f"; {'images[..., :3]' if shape[3] == 4 else 'images[:, :3]'} drops the transparency"
    if len(shape) == 2:
        return "; reshape flat images to (n, h, w) or (n, h, w, 3)"
    return ""


def image_header(file: IO[bytes], key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type of an array of images; the file is left at the first pixel.

    Raises:
        ValueError: it is not an array of images.
    """
    shape, fortran, dtype = HEADER_READERS[np.lib.format.read_magic(file)](file)
    if shape and not shape[0]:
        raise ValueError(f"{key} are of shape {shape}: there is no image")
    channels = len(shape) == 4 and (shape[3] in (1, 3) or shape[1] in (1, 3))
    if not (channels or len(shape) == 3) or (fortran and len(shape) > 1) or dtype.kind not in "buif":
        order = " in Fortran order" if fortran else ""
        hint = "; np.ascontiguousarray makes them so" if fortran else hint_of_shape(shape)
        raise ValueError(
            f"{key} are {dtype} {shape}{order}, expected numbers (n, h, w, 3) or (n, h, w) in C order{hint}"
        )
    if min(shape[2:] if is_channels_first(shape) else shape[1:3]) < SMALLEST:
        raise ValueError(f"{key} are of shape {shape}, expected images of at least {SMALLEST} pixels a side")
    return tuple(shape), dtype
