"""Text that a spreadsheet shows and does not execute.

A cell that begins with =, +, -, @, a tab or a line break may be read as a formula, which can call programs or
send the sheet away (CSV injection; OWASP). Class names and file names come from strangers. Such a cell gets
an apostrophe in front, as OWASP recommends; DeepSight takes it away when it reads its own files.
"""

import polars as pl

TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n")
FORMULA = r"^[=+\-@\t\r\n]"
GUARDED_FORMULA = r"^'([=+\-@\t\r\n])"


def guarded_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with every text that a spreadsheet might execute guarded, the names of columns too."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    safe = frame.with_columns(pl.col(texts).str.replace(FORMULA, "'${0}")) if texts else frame
    return safe.rename({name: guarded(name) for name in frame.columns})


def unguarded_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """The table that `guarded_frame` was given."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    plain = frame.with_columns(pl.col(texts).str.replace(GUARDED_FORMULA, "${1}")) if texts else frame
    names = {name: unguarded(name) for name in frame.columns}
    return plain.rename(names) if len(set(names.values())) == len(names) else plain


def guarded(text: str) -> str:
    """One text, guarded.

    Example:
        >>> from deepsight.core.files.spreadsheet import guarded
        >>> guarded('=HYPERLINK("http://x")'), guarded("cat")
        ('\\'=HYPERLINK("http://x")', 'cat')
    """
    return f"'{text}" if text.startswith(TRIGGERS) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(TRIGGERS) else text
