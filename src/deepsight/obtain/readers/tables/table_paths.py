"""Paths in a table that lead nowhere: found by their last folders, or in a folder beside the table.

Tables travel without their folders: their paths begin with folders of another machine, such as `/home/ann`,
or lack the folder of the pictures (`1.png`, which lies in `images`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from deepsight.core.errors import UsageError
from deepsight.core.progress import Log
from deepsight.obtain.decoding.decode import name_as_text
from deepsight.obtain.local_file import found_path, is_there, normal_path
from deepsight.obtain.readers.tables.table_file import text_column
from deepsight.obtain.skipped_items import first_few

SAMPLE = 50  # paths that are looked for
FOUND = 0.9  # share of the sample that must be there: some files may be missing
MOST_FOLDERS, DEEPEST = 300, 3  # folders beside the table that are looked into
Place = tuple[Path, int]  # a folder, and how many leading folders of each path are left out


def with_found_paths(base: Path, frame: pl.DataFrame, column: str, log: Log) -> pl.DataFrame:
    """The table with paths that lead to files, if as they are none of them does.

    Args:
        base: the folder of the table.
        frame: the table.
        column: of the paths.
        log: receives how the paths are read.

    Raises:
        UsageError: none leads to a file, and no folder holds their files, or several do.
    """
    if frame[column].dtype.is_nested() or frame[column].dtype == pl.Binary:
        return frame
    given = text_column(frame, column)
    local = [name for name in given if name is not None and "://" not in name]
    some = [local[i] for i in np.unique(np.linspace(0, len(local) - 1, SAMPLE).astype(int))] if local else []
    if not some or any(is_there(found_path(base, name)) for name in some):
        return frame
    folder, dropped = the_place(base, some, column)
    new = [n if n is None or "://" in n else moved_path(base, folder, dropped, n) for n in given]
    first = moved_path(base, folder, dropped, some[0])
    log(
        f"The paths in '{column}' lead to no file; '{name_as_text(some[0])}' is read as '{first}', and so on."
    )
    return frame.with_columns(pl.Series(column, new, dtype=pl.String))


def moved_path(base: Path, folder: Path, dropped: int, name: str) -> str:
    """The path of a file, relative to the table, without its first folders."""
    tail = tail_of(name, dropped)
    below = folder.relative_to(base).as_posix()
    return tail if below == "." else f"{below}/{tail}"


def tail_of(name: str, dropped: int) -> str:
    """A path without its first folders."""
    return "/".join(path_parts(name)[dropped:])


def path_parts(name: str) -> list[str]:
    """The folders and the name of a path, which may be of Windows."""
    return [part for part in normal_path(name).split("/") if part]


def the_place(base: Path, some: Sequence[str], column: str) -> Place:
    """The one folder where these paths lead to files, with as few of their folders left out as possible.

    Raises:
        UsageError: there is none, or there are several.
    """
    folders = folders_below(base)
    for dropped in range(min(len(path_parts(name)) for name in some)):
        if len({tail_of(name, dropped) for name in some}) < len(set(some)):
            break  # different files would become one
        fitting = [folder for folder in folders if holds_most(folder, dropped, some)]
        if len(fitting) == 1:
            return fitting[0], dropped
        if fitting:
            names = first_few([str(folder.relative_to(base)) for folder in fitting])
            raise UsageError(
                f"Expected paths relative to the table in the column '{column}', received '{some[0]}', which "
                f"leads to files in several folders: {names}. Write the folder into the paths."
            )
    raise UsageError(
        f"Expected paths relative to the table in the column '{column}', received '{some[0]}'; there is no "
        f"{found_path(base, some[0])}, nor a file of that name in a folder beside the table. Move the table "
        "to the folder that its paths begin in, or write full paths."
    )


def folders_below(base: Path) -> list[Path]:
    """The folder and its visible subfolders, the shallowest first; links are not followed."""
    found, level = [base], [base]
    for _ in range(DEEPEST):
        level = [folder for above in level for folder in subfolders_of(above)][:MOST_FOLDERS]
        found += level
    return found[:MOST_FOLDERS]


def subfolders_of(folder: Path) -> list[Path]:
    """The visible subfolders of a folder by name; none if it cannot be opened."""
    try:
        items = sorted(folder.iterdir())
    except OSError:
        return []
    return [item for item in items if item.is_dir() and not item.is_symlink() and item.name[0] != "."]


def holds_most(folder: Path, dropped: int, some: Sequence[str]) -> bool:
    """Whether a folder holds the first of these files and nine in ten of all."""
    there = (is_there(found_path(folder, tail_of(name, dropped))) for name in some)
    return next(there) and 1 + sum(there) >= FOUND * len(some)
