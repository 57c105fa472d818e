"""Large arrays in temporary files, so that together they may be larger than memory."""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepsight.core.blocks import blocks_of
from deepsight.core.files.system_errors import cannot_write

IN_MEMORY = 2**27  # bytes of an array; a larger one lies in a file
BLOCK = 8192  # rows copied at a time
STEP = 2**24  # bytes written at a time


def scratch_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array to fill: in memory, or above 128 MB in a temporary file.

    The file lies in TMPDIR and is removed with the array. Its room is reserved at once, because a full disk
    would end the process while the array is being filled.

    Args:
        shape: of the array.
        dtype: of its values.

    Raises:
        DeepSightError: the disk is full.

    >>> scratch_array((2, 3), "float32").shape
    (2, 3)
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.empty(shape, dtype)
    try:
        with TemporaryFile() as file:
            reserve(file, size)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except OSError as error:
        raise cannot_write(Path(gettempdir()), error) from error


def scratch_rows(blocks: Iterable[NDArray[Any]], n: int) -> NDArray[Any]:
    """Blocks of rows, n together and at least one, as one `scratch_array`; one block is in memory at a time.

    >>> scratch_rows([np.zeros((2, 3)), np.ones((1, 3))], 3).sum()
    np.float64(3.0)
    """
    found, start = None, 0
    for block in blocks:
        if found is None:
            found = scratch_array((n, *block.shape[1:]), block.dtype)
        found[start : start + len(block)] = block
        start += len(block)
    if found is None or start != n:
        raise ValueError(f"Expected {n} rows, at least one block of them, received {start}.")
    return found


def scratch_taken(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Some rows of an array, as a `scratch_array`.

    >>> scratch_taken(np.arange(6).reshape(3, 2), np.array([2, 0]))
    array([[4, 5],
           [0, 1]])
    """
    found = scratch_array((len(rows), *array.shape[1:]), array.dtype)
    for block in blocks_of(len(rows), BLOCK):
        found[block] = array[rows[block]]
    return found


def reserve(file: IO[bytes], size: int) -> None:
    """Make a file this large, with its room on the disk taken.

    Raises:
        OSError: the disk is full.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, STEP):
        file.write(bytes(min(STEP, size - start)))
    file.flush()
