"""The image files that arguments name: files, folders, patterns, tables of files, standard input."""

import glob
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from deepsight.core.errors import UsageError
from deepsight.core.progress import Log, silent
from deepsight.obtain.local_file import found_path, is_picture
from deepsight.obtain.readers.folder_walk import JUNK
from deepsight.obtain.readers.tables.table_file import SUFFIXES, named_column, read_table_file, text_column

FILE_COLUMNS = ("file", "path", "image", "filename", "file_name")


def expand_paths(images: Sequence[str], *, log: Log = silent) -> list[Path]:
    """The files that the arguments name, each once, in order.

    Args:
        images: the arguments.
        log: receives how ambiguous tables were read.

    Raises:
        UsageError: an argument names no file.
    """
    found: dict[Path, None] = {}
    for argument in images:
        files = list(files_of_argument(argument, log))
        if not files:
            raise UsageError(f"Expected images in '{argument}', found none.")
        found |= dict.fromkeys(files)
    if not found:
        raise UsageError("Expected at least one image, received none.")
    return list(found)


def files_of_argument(argument: str, log: Log) -> Iterator[Path]:
    """The files of one argument."""
    path = Path(argument)
    if argument == "-":
        yield from (Path(line.strip()) for line in sys.stdin if line.strip())
    elif path.is_dir():
        yield from sorted(p for p in path.rglob("*") if is_shown(p.relative_to(path)) and p.is_file())
    elif path.suffix.lower() in SUFFIXES:
        yield from files_of_table(path, log)
    elif path.exists() or not glob.has_magic(argument):
        yield path
    else:
        yield from (Path(name) for name in sorted(glob.glob(argument, recursive=True)))


def is_shown(below: Path) -> bool:
    """Whether a path in a folder is a picture that a person would see, not what archivers leave."""
    hidden = any(part.startswith(".") or part in JUNK for part in below.parts)
    return is_picture(below.name) and not hidden


def files_of_table(path: Path, log: Log) -> Iterator[Path]:
    """The files in a column of a table; relative names are relative to the table's folder.

    Raises:
        UsageError: it has no such column.
        DeepSightError: it cannot be read, or has no rows.
    """
    content = read_table_file(path)
    for note in content.notes:
        log(note)
    frame = content.frame
    if (column := named_column(frame, FILE_COLUMNS)) is None:
        raise UsageError(
            f"Expected a column named {', '.join(FILE_COLUMNS)} in {path}, received {frame.columns[:12]}."
        )
    yield from (found_path(path.parent, name) for name in text_column(frame, column) if name is not None)
