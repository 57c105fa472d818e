"""Numbers in the cells of a table of predictions, as people and programs write them."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from deepsight.core.array_types import Floats
from deepsight.core.errors import UsageError
from deepsight.obtain.readers.tables.table_file import truth_values


def is_numeric_text(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def numeric_columns(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    """Columns as a matrix (n, c); an empty cell is NaN.

    Raises:
        UsageError: a column holds text.
    """
    frame = frame.with_columns(numbers_of_text(truth_values(frame[name])) for name in names)
    for name in names:
        if not (frame[name].dtype.is_numeric() or frame[name].dtype == pl.Boolean):
            texts = [cell for cell in frame[name].drop_nulls().to_list() if isinstance(cell, str)]
            wrong = next((cell for cell in texts if not is_numeric_text(cell)), None)
            example = "" if wrong is None else f" such as {wrong!r}"
            raise UsageError(
                f"Expected numbers in the column '{name}', received {frame[name].dtype}{example}. Write them "
                "as 1234.87: with a point, and without separators of thousands or other text."
            )
    return np.asarray(frame.select(pl.col(names).cast(pl.Float64)).to_numpy(), dtype=np.float64)


def numbers_of_text(column: pl.Series) -> pl.Series:
    """Text cells as numbers if all are: with spaces, typographic minus signs, NaN, or % after each."""
    if column.dtype != pl.String:
        return column
    plain = column.str.strip_chars().str.replace_all("\u2212", "-").str.to_lowercase()
    percent = bool(plain.drop_nulls().str.ends_with("%").all())
    if percent:
        plain = plain.str.strip_chars_end(" %")
    values = plain.cast(pl.Float64, strict=False)
    if values.null_count() > column.null_count() + int((plain == "").sum()):
        return column
    return values / 100 if percent else values
