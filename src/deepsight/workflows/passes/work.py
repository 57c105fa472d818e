"""What a pass does with a block, and where its finished blocks are kept."""

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import deepsight
from deepsight.obtain.cache import cache_folder

Arrays = Mapping[str, np.ndarray]  # by name, one row per row of the block
Work = Callable[[Any], Arrays]  # what is done with a block: with its rows, or with what is told of it
OpenWork = Callable[[], Work]  # opens the model and the data once per worker
Tell = Callable[[slice], Any]  # what the work is told of a block, by its rows
DAYS_KEPT = 30  # of blocks of a pass that was stopped


def kept_folder(*marks: Any) -> Path:
    """A folder in the cache for the blocks of a pass, named after all that its answers depend on.

    The version of DeepSight is one of these. What passes left there that nobody has taken up for a month is
    removed.

    Args:
        marks: plain values, such as names, numbers, stamps of files and digests of data.
    """
    passes = cache_folder() / "passes"
    remove_forgotten(passes)
    said = repr((deepsight.__version__, *marks))
    return passes / hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def remove_forgotten(folder: Path) -> None:
    """Remove the folders in a folder to which nothing was added for `DAYS_KEPT` days."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # another process may remove it meanwhile
            if time.time() - entry.stat().st_mtime > DAYS_KEPT * 86_400:
                shutil.rmtree(entry, ignore_errors=True)
