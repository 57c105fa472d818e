"""CIFAR-10 through `keras.datasets`, on the torch backend."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import numpy as np
from numpy.typing import NDArray

from deepsight.core.errors import first_line
from deepsight.obtain.connectivity import require_answer
from deepsight.obtain.obtained import Part, Parts
from deepsight.obtain.sources import SourceError, SourceSkipped

ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
STALL_SECONDS = 30.0
HTTP_ERRORS = 400


def fetch_from_keras(*, offline: bool) -> Parts:
    """The parts that `keras.datasets.cifar10.load_data()` returns.

    Raises:
        SourceError: the host cannot be reached, Keras is not installed, or its loader failed.
    """
    if offline:
        raise SourceSkipped("not tried, because it needs the network and --offline is set")
    if (status := require_answer(ORIGIN)) >= HTTP_ERRORS:
        raise SourceError(f"{ORIGIN} answers with status {status}")
    try:
        # Keras writes its progress to stdout, which is reserved for results.
        with stall_limit(STALL_SECONDS), redirect_stdout(sys.stderr):
            train, test = load_with_keras()
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise SourceError(f"its loader failed ({first_line(error)})") from error
    return {"train": rgb_part(*train), "test": rgb_part(*test)}


@contextmanager
def stall_limit(seconds: float) -> Iterator[None]:
    """Abort downloads that receive nothing for this many seconds; Keras itself sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def load_with_keras() -> tuple[tuple[NDArray[np.uint8], ...], tuple[NDArray[np.uint8], ...]]:
    """Call Keras's loader. Keras reads its backend from the environment when it is first imported."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from keras.datasets import cifar10

    train, test = cifar10.load_data()
    return train, test


def rgb_part(images: NDArray[np.uint8], labels: NDArray[np.integer]) -> Part:
    """The arrays of `keras.datasets` as a part.

    Grey images get three equal channels, channels move to the end, and labels lose their second axis.
    """
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, axis=3)
    elif images.shape[1] == 3:
        images = images.transpose(0, 2, 3, 1)
    return Part(np.ascontiguousarray(images, dtype=np.uint8), labels.reshape(-1).astype(np.int64))
