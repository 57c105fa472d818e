"""The separator of a CSV, and lines that hold another one, as joining files leaves them."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from deepsight.core.errors import DeepSightError

SEPARATORS = ",;\t|"
QUOTED = re.compile(r'"[^"]*"')
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
NAMED = 3  # lines that a message names


def separator_of(lines: Sequence[str]) -> str:
    """The most frequent separator in the first line; a comma if it has none."""
    first = QUOTED.sub("", lines[0]) if lines else ""
    return max(SEPARATORS, key=first.count)


def with_one_separator(content: bytes, separator: str, *, path: Path, before: int = 0) -> bytes:
    """A CSV all of whose lines have the separator of its first line.

    A line without it, in which another one makes as many cells as the first line has, is written anew.

    Args:
        content: the text in UTF-8, from its first line on.
        separator: of the first line.
        path: of the file, for the message.
        before: lines of the file before these, for the message.

    Raises:
        DeepSightError: other lines seem to have another separator, but their cells cannot be told for sure.
    """
    if not any(other.encode() in content for other in SEPARATORS if other != separator):
        return content
    lines = content.decode("utf-8", "replace").split("\n")
    cells = QUOTED.sub("", lines[0]).count(separator) + 1
    strays = {
        row: stray_separator(lines[row], separator, cells) for row in short_rows(lines, separator, cells)
    }
    if unsure := [row for row, other in strays.items() if other == ""]:
        raise DeepSightError(
            f"Expected {cells} cells in each line of {path}, separated by {NAMES[separator]} like the first, "
            f"but {named_lines(lines, unsure, before)} seems to be separated otherwise. Write all lines with "
            f"{NAMES[separator]}."
        )
    known = {row: other for row, other in strays.items() if other}
    for row, other in known.items():
        lines[row] = rewritten_line(lines[row], other, separator)
    return "\n".join(lines).encode() if known else content


def short_rows(lines: Sequence[str], separator: str, cells: int) -> list[int]:
    """The rows with fewer cells than the first line, without those inside a quoted cell of several lines."""
    found, inside = [], False
    for row, line in enumerate(lines):
        starts_inside, quotes = inside, line.count('"')
        inside ^= bool(quotes % 2)
        if starts_inside or inside:
            continue
        plain = QUOTED.sub("", line) if quotes else line
        if plain.count(separator) + 1 < cells:
            found.append(row)
    return found


def stray_separator(line: str, separator: str, cells: int) -> str | None:
    """The other separator of a short line; "" where it is not sure, None where the line merely is short."""
    plain = QUOTED.sub("", line)
    others = {other: plain.count(other) + 1 for other in SEPARATORS if other != separator and other in plain}
    full = [other for other, count in others.items() if count == cells]
    if separator not in plain and len(full) == 1:
        return full[0]
    return "" if full or (others and separator not in plain) else None


def rewritten_line(line: str, other: str, separator: str) -> str:
    """The line with the cells of one separator, joined by another."""
    text, plain = io.StringIO(), line.removesuffix("\r")
    cells = next(csv.reader([plain], delimiter=other))
    csv.writer(text, delimiter=separator, lineterminator=line[len(plain) :]).writerow(cells)
    return text.getvalue()


def named_lines(lines: Sequence[str], rows: Sequence[int], before: int) -> str:
    """Numbers and text of the first of some lines, and how many there are besides."""
    named = ", ".join(f"{before + row + 1} ({lines[row].strip()[:60]!r})" for row in rows[:NAMED])
    return f"line {named}" + (f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else "")
