"""Read tables as people keep them: CSV, TSV, Parquet, JSON Lines and JSON."""

import codecs
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.files.damage import damage_as
from deepsight.core.files.spreadsheet import unguarded_frame
from deepsight.core.files.text_encoding import utf8_text
from deepsight.obtain.other_layouts import CONVERT, container_name
from deepsight.obtain.readers.tables.json_table import read_json_lines, read_json_table
from deepsight.obtain.readers.tables.separators import separator_of, with_one_separator

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".json")
SHEETS = (".xlsx", ".xls", ".ods")
REMEDIES = {
    SHEETS: "Save the sheet as CSV.",
    (".gz", ".zip", ".bz2", ".xz", ".zst"): "Unpack it.",
    (".arrow", ".feather", ".ipc"): "Write it as Parquet; a folder that `datasets` saved is hf:FOLDER.",
    (".txt", ".lst", ".dat"): "Save it as CSV, with the names of the columns in the first line.",
    (".db", ".sqlite", ".sqlite3"): "Export the table as CSV.",
}
UNNAMED = re.compile(r"(Unnamed: \d+|_duplicated_\d+|)")  # names that programs give to row numbers
WHOLE, CODE = r"^-?[0-9]+$", r"^0[0-9]"  # whole numbers, and those that are the code of something
NUMBER = r"^-?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|inf)$|^NaN$"
NUMBER_WITH_COMMA = NUMBER.replace(r"\.", ",")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class TableContent:
    """The rows of a table, with sentences on how ambiguous content was read."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()


def read_table_file(path: Path, *, header: bool = True) -> TableContent:
    """The content of a table, in the format that its suffix indicates.

    Args:
        path: a file with one of `SUFFIXES`. A CSV may be separated by commas, semicolons, tabs or bars: the
            most frequent one in its first line. Lines with another one are read too, or refused
            (`with_one_separator`).
        header: whether the first line of a CSV or TSV holds the column names.

    Raises:
        UsageError: there is no such file, or its suffix is unknown.
        DeepSightError: its content does not match its suffix, or it has no rows.
    """
    if not path.is_file():
        raise UsageError(f"Expected a table in {path}, found no such file.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        unread = f"DeepSight does not read {what}. {CONVERT}" if (what := container_name(path.name)) else ""
        remedy = suffix_remedy(path.name) or unread
        raise UsageError(
            f"Expected a table as {', '.join(SUFFIXES)}, received '{path.name}'. {remedy}".rstrip()
        )
    with damage_as(
        lambda why: DeepSightError(
            f"Expected {path} as a table in the format of its suffix, but: {in_plain_words(why)}."
        )
    ):
        found = read_rows(path, suffix, header)
    frame = found.frame
    if frame.is_empty():
        raise DeepSightError(f"Expected rows in {path}, found none.")
    unnamed = [name for name in frame.columns if header and UNNAMED.fullmatch(name.strip())]
    return replace(found, frame=frame.drop(unnamed))


def suffix_remedy(name: str) -> str:
    """What to do with a file of this name that is no table; empty if nothing is known."""
    suffix = Path(name).suffix.lower()
    return next((said for endings, said in REMEDIES.items() if suffix in endings), "")


def read_rows(path: Path, suffix: str, header: bool) -> TableContent:
    """The rows of a file in this format. The type of a column of a CSV is that of all of its cells.

    Polars would read a path as a glob pattern, so it gets the content.
    """
    content = path.read_bytes()
    if suffix in (".parquet", ".pq"):
        return TableContent(pl.read_parquet(io.BytesIO(content)))
    if suffix in (".jsonl", ".ndjson"):
        return TableContent(read_json_lines(content))
    starts_as_json = content.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"[{", b'{"'))
    if suffix == ".json" or starts_as_json:
        return TableContent(read_json_table(content))
    text = utf8_text(content)
    notes = (f"{path} {text.note}",) if text.note else ()
    return TableContent(read_csv(text.content, path, suffix, header), notes)


def read_csv(whole: bytes, path: Path, suffix: str, header: bool) -> pl.DataFrame:
    """The rows of a CSV in UTF-8, without lines before the column names and without repeated headers.

    The apostrophes that guard the cells of DeepSight's own CSV files are removed.
    """
    content = without_preamble(whole)
    lines = content[: 2**16].decode("utf-8", "replace").splitlines()
    separator = "\t" if suffix == ".tsv" and "\t" in "".join(lines[:1]) else separator_of(lines)
    before = whole.count(b"\n") - content.count(b"\n")
    content = without_repeated_header(with_one_separator(content, separator, path=path, before=before))
    comma = separator != "," and has_decimal_commas(lines[1:20], separator)
    texts = pl.read_csv(
        io.BytesIO(content), separator=separator, has_header=header, encoding="utf8-lossy", infer_schema=False
    )
    return unguarded_frame(texts.with_columns(typed_column(column, comma=comma) for column in texts))


def typed_column(column: pl.Series, *, comma: bool) -> pl.Series:
    """A column of text with the type of its cells: whole numbers, numbers, truth values, or text.

    Whole numbers of which one begins with 0 stay text: `007` identifies a file or a patient, and as a number
    it would become 7. So does `True`, which is the name of a class.

    Args:
        column: cells as text, null where empty.
        comma: whether numbers have a decimal comma.
    """
    cells = column.drop_nulls()
    if cells.is_empty():
        return column
    if all_match(cells, WHOLE):
        return column if cells.str.contains(CODE).any() else whole_numbers(column)
    if all_match(cells, NUMBER_WITH_COMMA if comma else NUMBER):
        return (column.str.replace(",", ".", literal=True) if comma else column).cast(pl.Float64)
    return column == "true" if cells.is_in(["true", "false"]).all() else column


def all_match(cells: pl.Series, pattern: str) -> bool:
    """Whether every cell matches; most columns of another kind are known by their first cell."""
    return all(bool(part.str.contains(pattern).all()) for part in (cells.head(1), cells))


def whole_numbers(column: pl.Series) -> pl.Series:
    """A column of digits as whole numbers, of 128 bits if 64 are too few; as text if these are too few."""
    for kind in (pl.Int64, pl.Int128):
        with suppress(pl.exceptions.InvalidOperationError):
            return column.cast(kind)
    return column


def truth_values(column: pl.Series) -> pl.Series:
    """A column of `True` and `False`, in any case, as truth values; any other column as it is."""
    if column.dtype != pl.String:
        return column
    plain = column.str.strip_chars().str.to_lowercase()
    return plain == "true" if plain.drop_nulls().is_in(["true", "false"]).all() else column


def without_preamble(content: bytes) -> bytes:
    """A CSV without the lines before the column names.

    These are `sep=;`, as spreadsheets write it, and comments, which begin with # and have another number of
    separators than the next line.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    first, _, rest = content.partition(b"\n")
    second = rest.partition(b"\n")[0]
    if re.fullmatch(rb"\s*sep=.\s*", first, re.IGNORECASE):
        return without_preamble(rest)
    if first.startswith(b"#") and rest:
        separator = separator_of([second.decode("utf-8", "replace")]).encode()
        names = not second.startswith(b"#") and first.count(separator) == second.count(separator)
        return content[1:].lstrip(b" ") if names else without_preamble(rest)
    return content


def without_repeated_header(content: bytes) -> bytes:
    """A CSV without further copies of its first line, which joining several files leaves."""
    first, feed, rest = content.partition(b"\n")
    if not rest.startswith(first + feed) and feed + first + feed not in rest:
        return content
    return first + feed + b"\n".join(line for line in rest.split(b"\n") if line != first)


def in_plain_words(why: str) -> str:
    """Polars' message about a broken CSV, without advice on its own arguments."""
    if 'could not parse `"' in why:
        return "a quotation mark opens a cell and is not closed"
    if "found more fields than defined" in why:
        return "a line has more cells than the first; text that holds the separator needs quotation marks"
    return why


def has_decimal_commas(lines: Sequence[str], separator: str) -> bool:
    """Whether some cell is a number with a decimal comma."""
    return any(DECIMAL_COMMA.fullmatch(cell.strip()) for line in lines for cell in line.split(separator))


def named_column(frame: pl.DataFrame, usual: Sequence[str]) -> str | None:
    """The column with the first of the usual names, in any case and with any separator; None for none."""
    there = {re.sub(r"[\s-]+", "_", name.strip().casefold()): name for name in reversed(frame.columns)}
    return next((there[name] for name in usual if name in there), None)


def text_column(frame: pl.DataFrame, name: str) -> list[str | None]:
    """A column as text, None for an empty cell; whole numbers have no decimal point."""
    column = frame[name]
    if holds_whole_numbers(column):
        column = column.fill_nan(None).cast(pl.Int64)
    return [None if value is None or value == "" else str(value) for value in column.to_list()]


def holds_whole_numbers(column: pl.Series) -> bool:
    """Whether a float column holds only whole numbers, like an integer column with empty cells."""
    if not column.dtype.is_float():
        return False
    values = column.fill_nan(None).drop_nulls()
    return bool((values % 1 == 0).all())
