"""The types of a pass over images, and the cache folders of its finished blocks."""

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
Work = Callable[[Any], Arrays]  # computes a block from its rows, or from what `Tell` returns for them
OpenWork = Callable[[], Work]  # opens the model and the data once per worker
Tell = Callable[[slice], Any]  # the argument of the work for a block, by its rows
DAYS_KEPT = 30  # blocks of interrupted passes


def data_marks(record: Mapping[str, Any]) -> list[Any]:
    """Values of `data.json` that change when the data set does."""
    return [record.get(name) for name in ("data", "digests", "sha256_of_pixels", "image_shape")]


def kept_folder(*marks: Any) -> Path:
    """A folder in the cache for the blocks of a pass, named after everything that its answers depend on.

    The version of DeepSight is part of the name. Folders that no pass has used for a month are removed.

    Args:
        marks: plain values, such as names, numbers, stamps of files and digests of data.
    """
    passes = cache_folder() / "passes"
    remove_forgotten(passes)
    said = repr((deepsight.__version__, *marks))
    return passes / hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def remove_forgotten(folder: Path) -> None:
    """Remove the subfolders to which nothing was added for `DAYS_KEPT` days."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # another process may remove it meanwhile
            if time.time() - entry.stat().st_mtime > DAYS_KEPT * 86_400:
                shutil.rmtree(entry, ignore_errors=True)
