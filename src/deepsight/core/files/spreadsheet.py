"""Protection against CSV injection: text that a spreadsheet shows and does not execute.

A cell that begins with =, +, -, @, a tab or a line break may be read as a formula, which can run programs or
send data away (OWASP, "CSV Injection"). Class names and file names are untrusted, so such a cell gets a
leading apostrophe, as OWASP recommends. DeepSight removes it when it reads its own files.
"""

import polars as pl

TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n")
FORMULA = r"^[=+\-@\t\r\n]"
GUARDED_FORMULA = r"^'([=+\-@\t\r\n])"


def guarded_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with a leading apostrophe before every text, or column name, that could be a formula."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    safe = frame.with_columns(pl.col(texts).str.replace(FORMULA, "'${0}")) if texts else frame
    return safe.rename({name: guarded(name) for name in frame.columns})


def unguarded_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """The table that was passed to `guarded_frame`."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    plain = frame.with_columns(pl.col(texts).str.replace(GUARDED_FORMULA, "${1}")) if texts else frame
    names = {name: unguarded(name) for name in frame.columns}
    return plain.rename(names) if len(set(names.values())) == len(names) else plain


def guarded(text: str) -> str:
    """The text, with a leading apostrophe if it could be a formula.

    Example:
        >>> from deepsight.core.files.spreadsheet import guarded
        >>> guarded('=HYPERLINK("http://x")'), guarded("cat")
        ('\\'=HYPERLINK("http://x")', 'cat')
    """
    return f"'{text}" if text.startswith(TRIGGERS) else text


def unguarded(text: str) -> str:
    """The text that was passed to `guarded`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(TRIGGERS) else text
