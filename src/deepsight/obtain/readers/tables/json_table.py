"""Tables in JSON files: by row, by column, or as pandas writes them."""

import io
import json
from typing import Any

import polars as pl

from deepsight.obtain.local_file import is_picture


def read_json_table(content: bytes) -> pl.DataFrame:
    """The rows of a JSON text.

    It may be a list, see `frame_of_list`; an object with one list per column; an object with one object per
    column that holds its cells by row (`DataFrame.to_json`); an object with the files of each class; an
    object that holds one list of objects, such as `{"results": […]}`; or any other object, which becomes a
    single row. Values may be NaN, which Python writes although JSON does not have it. JSON Lines are read
    too.

    Raises:
        ValueError: it is none of these.
    """
    text = content.decode("utf-8-sig")
    try:
        value = json.loads(text)
    except ValueError as error:
        value = values_of_lines(text, error)
    return frame_of_object(value) if isinstance(value, dict) else frame_of_list(value)


def read_json_lines(content: bytes) -> pl.DataFrame:
    """The rows of JSON Lines: an object or a list in each line; a whole JSON text is read too.

    Raises:
        ValueError: it is neither.
    """
    try:
        return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        return read_json_table(content)


def values_of_lines(text: str, error: ValueError) -> list[Any]:
    """The values of JSON Lines.

    Args:
        text: the file.
        error: raised if a line is no JSON: what is wrong with the text as a whole.
    """
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        raise error from None


def frame_of_list(value: Any) -> pl.DataFrame:
    """A list as a table.

    It may hold objects, one per row; lists of numbers, one per row; lists of objects, such as labels with
    scores, which become the column `predictions`; or text and numbers, which become the column `pred`.

    Raises:
        ValueError: it holds something else.
    """
    rows = value if isinstance(value, list) else [value]
    if rows and all(isinstance(row, dict) for row in rows):
        return pl.DataFrame(rows, strict=False, infer_schema_length=None)
    if rows and all(isinstance(row, list) for row in rows):
        if all(isinstance(cell, dict) for row in rows for cell in row):
            return pl.DataFrame({"predictions": rows}, strict=False)
        names = [str(place) for place in range(len(rows[0]))]
        return pl.DataFrame(rows, schema=names, orient="row", strict=False, infer_schema_length=None)
    if not all(isinstance(row, (str, int, float)) for row in rows):
        raise ValueError("it is not a list of objects, of lists, or of text and numbers")
    return pl.DataFrame({"pred": rows}, strict=False)


def frame_of_object(value: dict[str, Any]) -> pl.DataFrame:
    """An object as a table: by column if all its values are lists or objects with the same rows."""
    by_file = all(is_picture(name) for name in value)
    cells = list(value.values())
    if not by_file and (records := only_list_of_objects(cells)):
        return frame_of_list(records)
    if not by_file and all(is_list_of_pictures(cell) for cell in cells):
        pairs = [(file, label) for label, files in value.items() for file in files]
        return pl.DataFrame(pairs, schema=["path", "label"], orient="row")
    if not by_file and all(isinstance(cell, list) for cell in cells) and len({len(c) for c in cells}) == 1:
        return pl.DataFrame(value, strict=False)
    if not by_file and all(isinstance(cell, dict) for cell in cells) and same_rows(cells):
        rows = list(cells[0])
        named = {"file": rows} if rows and all(is_picture(row) for row in rows) else {}
        columns = {name: [cell[row] for row in rows] for name, cell in value.items()}
        return pl.DataFrame(named | columns, strict=False)
    return pl.DataFrame([value], strict=False, infer_schema_length=None)


def is_list_of_pictures(cell: Any) -> bool:
    """Whether a value is a list of names of pictures, as an object with the files of each class has it."""
    return isinstance(cell, list) and bool(cell) and all(isinstance(f, str) and is_picture(f) for f in cell)


def only_list_of_objects(cells: list[Any]) -> list[dict[str, Any]] | None:
    """The list of objects among the values of an object, if it is their only list; else None."""
    lists = [cell for cell in cells if isinstance(cell, list)]
    found = len(lists) == 1 and lists[0] and all(isinstance(row, dict) for row in lists[0])
    return lists[0] if found else None


def same_rows(columns: list[dict[str, Any]]) -> bool:
    """Whether objects have the same keys, and these are row numbers or files, like an index of pandas."""
    keys = set(columns[0]) if columns else set()
    rows = all(key.isdecimal() for key in keys) or all(is_picture(key) for key in keys)
    return bool(keys) and rows and all(set(column) == keys for column in columns)
