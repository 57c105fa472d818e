"""Further columns about images: `metadata.csv` beside the class folders, and groups in any table."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from deepsight.core.errors import UsageError, near_names
from deepsight.core.progress import Log
from deepsight.obtain.decoding.decode import name_as_text
from deepsight.obtain.local_file import is_picture, normal_path
from deepsight.obtain.readers.tables.table_file import SUFFIXES, named_column, read_table_file, text_column
from deepsight.obtain.skipped_items import PassedOver

FILE_NAME = "file_name"  # the column's name in Hugging Face's imagefolder
GROUP = "group"


def find_metadata(folder: Path) -> Path | None:
    """The file `metadata.csv`, `metadata.jsonl` or of another format in a folder; None if there is none."""
    found = [folder / f"metadata{suffix}" for suffix in SUFFIXES]
    return next((path for path in found if path.is_file()), None)


def find_column(
    frame: pl.DataFrame, option: str, named: str | None, usual: Sequence[str], *, needed: bool = True
) -> str | None:
    """The column that an option names, or the first of the usual names that exists.

    Args:
        frame: the table.
        option: its name, for the message.
        named: the column that the option names; None if it is not given.
        usual: the usual names.
        needed: whether to refuse a table without such a column.

    Raises:
        UsageError: the named column does not exist, or none does and one is needed.
    """
    if named is not None:
        if named not in frame.columns:
            offered = near_names(named, frame.columns)
            raise UsageError(f"Expected the name of a column for '{option}', received '{named}'; {offered}")
        return named
    found = named_column(frame, usual)
    if found is None and needed:
        headless = any(is_picture(name) for name in frame.columns)
        remedy = "Its first line must name the columns." if headless else f"Name it: ?{option}=COLUMN"
        if len(frame.columns) == 1:
            remedy = "Separate the columns by commas."
        raise UsageError(
            f"Expected a column '{usual[0]}' in the table, received {frame.columns[:12]}. {remedy}"
        )
    return found


def read_metadata(root: Path, places: Sequence[Path], *, log: Log) -> pl.DataFrame | None:
    """The metadata files of a folder and of the folders of its parts, with paths relative to the root.

    Raises:
        UsageError: a metadata file has no column `file_name`.
    """
    frames = []
    for place in dict.fromkeys([root, *places]):
        if (path := find_metadata(place)) is None:
            continue
        content = read_table_file(path)
        for note in content.notes:
            log(note)
        frame = content.frame
        column = find_column(frame, FILE_NAME, None, (FILE_NAME,))
        below = place.relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        given = text_column(frame, str(column))
        names = [None if name is None else below_root(name, prefix, root) for name in given]
        frames.append(frame.drop(str(column)).with_columns(pl.Series(FILE_NAME, names, dtype=pl.String)))
    return pl.concat(frames, how="diagonal_relaxed") if frames else None


def below_root(name: str, prefix: str, root: Path) -> str:
    """A file of a metadata table as a normalised path relative to the root."""
    plain = normal_path(name)
    inside = normal_path(root.as_posix()) + "/"
    return plain.removeprefix(inside) if plain.startswith(inside) else f"{prefix}{plain}"


def rows_of_files(frame: pl.DataFrame, names: Sequence[str], passed_over: PassedOver) -> pl.DataFrame:
    """The metadata of these files, one row per file, null for a file without any.

    Repeated rows, and rows without a file, are counted as unused.

    Args:
        frame: with a column `file_name`.
        names: paths of the files, relative like those of that column.
        passed_over: counts unused rows.
    """
    once = frame.unique(FILE_NAME, keep="first", maintain_order=True)
    repeated = frame.filter(frame[FILE_NAME].is_duplicated() & ~frame[FILE_NAME].is_first_distinct())
    again = [str(name) for name in text_column(repeated, FILE_NAME)]
    passed_over.add_all("rows of metadata for a file that has one already", again)
    names = [normal_path(name_as_text(name)) for name in names]
    known = set(names)
    missing = [name for name in once[FILE_NAME].to_list() if name not in known]
    passed_over.add_all("rows of metadata without an image", [str(name) for name in missing])
    wanted = pl.DataFrame({FILE_NAME: list(names)}, schema={FILE_NAME: pl.String})
    return wanted.join(once, on=FILE_NAME, how="left", maintain_order="left")


def groups_and_rest(
    frame: pl.DataFrame, group: str | None, drop: Sequence[str]
) -> tuple[list[str] | None, pl.DataFrame | None]:
    """The group of each row, "" for a row without one, and the columns that are metadata; None for none.

    Args:
        frame: the table.
        group: the column of groups; None if there is none.
        drop: columns that are not metadata.
    """
    groups = None if group is None else [(name or "").strip() for name in text_column(frame, group)]
    rest = frame.drop([name for name in (*drop, group) if name is not None and name in frame.columns])
    plain = rest.select([name for name in rest.columns if not rest[name].dtype.is_nested()])
    return groups, plain if plain.width else None
