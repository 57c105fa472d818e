"""What a pass does with some rows, and where its finished blocks are kept."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepsight.obtain.cache import cache_folder

Arrays = Mapping[str, np.ndarray]  # by name, one row per row of the block
Work = Callable[[slice], Arrays]  # what is done with some rows
OpenWork = Callable[[], Work]  # opens the model and the data once per worker


def kept_folder(*marks: Any) -> Path:
    """A folder in the cache for the blocks of a pass, named after all that its answers depend on.

    Args:
        marks: plain values, such as names, numbers, stamps of files and digests of data.
    """
    digest = hashlib.sha256(repr(marks).encode("utf-8", "surrogatepass")).hexdigest()
    return cache_folder() / "passes" / digest[:32]
