"""Tables in JSON files: by row, by column, or as pandas writes them."""

import io
import json
from typing import Any

import polars as pl

from deepsight.obtain.local_file import is_picture


def read_json_table(content: bytes) -> pl.DataFrame:
    """The rows of a JSON text.

    It may be a list of objects, one per row; a list of lists of numbers; an object with one list per column;
    an object with one object per column that holds its cells by row (`DataFrame.to_json`); or any other
    object, which becomes a single row.

    Raises:
        ValueError: it is none of these.
    """
    value = json.loads(content.decode("utf-8-sig"))
    if isinstance(value, dict):
        return frame_of_object(value)
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        names = [str(place) for place in range(len(value[0]))]
        return pl.DataFrame(value, schema=names, orient="row", strict=False, infer_schema_length=None)
    return pl.read_json(io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")), infer_schema_length=None)


def frame_of_object(value: dict[str, Any]) -> pl.DataFrame:
    """An object as a table: by column if all its values are lists or objects with the same rows."""
    by_file = all(is_picture(name) for name in value)
    cells = list(value.values())
    if not by_file and all(isinstance(cell, list) for cell in cells) and len({len(c) for c in cells}) == 1:
        return pl.DataFrame(value, strict=False)
    if not by_file and all(isinstance(cell, dict) for cell in cells) and same_rows(cells):
        rows = list(cells[0])
        named = {"file": rows} if rows and all(is_picture(row) for row in rows) else {}
        columns = {name: [cell[row] for row in rows] for name, cell in value.items()}
        return pl.DataFrame(named | columns, strict=False)
    return pl.DataFrame([value], strict=False, infer_schema_length=None)


def same_rows(columns: list[dict[str, Any]]) -> bool:
    """Whether objects have the same keys, and these are row numbers or files, like an index of pandas."""
    keys = set(columns[0]) if columns else set()
    rows = all(key.isdecimal() for key in keys) or all(is_picture(key) for key in keys)
    return bool(keys) and rows and all(set(column) == keys for column in columns)
