"""Tables as people keep them: CSV, TSV, Parquet and JSON Lines."""

from pathlib import Path

import polars as pl

from deepsight.core.errors import DeepSightError, UsageError

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson")


def read_table_file(path: Path, *, header: bool = True) -> pl.DataFrame:
    """The rows of a table; the ending of its name says in which form it is.

    Args:
        path: a file that ends in .csv, .tsv, .parquet, .pq, .jsonl or .ndjson.
        header: whether the first line of a CSV or TSV holds the names of the columns.

    Raises:
        UsageError: there is no such file, or its ending is another.
        DeepSightError: its content is not what its ending says, or it has no row.
    """
    if not path.is_file():
        raise UsageError(f"Expected a table in {path}, found no such file.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"Expected a table as {', '.join(SUFFIXES)}, received '{path.name}'.")
    try:
        frame = read_rows(path, suffix, header)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise DeepSightError(
            f"Expected {path} as a table in the form that its ending says, but: {said}."
        ) from error
    if frame.is_empty():
        raise DeepSightError(f"Expected rows in {path}, found none.")
    return frame


def read_rows(path: Path, suffix: str, header: bool) -> pl.DataFrame:
    """The rows of a file of this form. All of a CSV is looked at before its types are chosen."""
    if suffix in (".parquet", ".pq"):
        return pl.read_parquet(path)
    if suffix in (".jsonl", ".ndjson"):
        return pl.read_ndjson(path, infer_schema_length=None)
    separator = "\t" if suffix == ".tsv" else ","
    return pl.read_csv(
        path, separator=separator, has_header=header, infer_schema_length=None, encoding="utf8-lossy"
    )


def text_column(frame: pl.DataFrame, name: str) -> list[str | None]:
    """A column as text, None where a cell is empty; whole numbers have no decimal point."""
    column = frame[name]
    if holds_whole_numbers(column):
        column = column.cast(pl.Int64)
    return [None if value is None or value == "" else str(value) for value in column.to_list()]


def holds_whole_numbers(column: pl.Series) -> bool:
    """Whether a column of floats holds whole numbers alone, as a column of integers with empty cells does."""
    if not column.dtype.is_float():
        return False
    values = column.drop_nulls()
    return bool((values % 1 == 0).all())
