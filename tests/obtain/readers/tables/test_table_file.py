"""The type of a column of a CSV: as polars infers it, but codes keep their spelling."""

import io
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_series_equal

from deepsight.obtain.readers.tables.table_file import read_table_file

CELLS = (
    "1", "-2", "+3", " 4", "0", "0.5", ".5", "5.", "-1.5e3", "1E3", "nan", "NaN", "-inf", "true", "false",
    "cat", "", '""', "99999999999999999999", "1_000", "0x1f", "2020-01-01", "-0", "1.0", "T",
)  # fmt: skip
COMMA_CELLS = ("1,5", "-2,25", "3", ",5", "0.5", "1e3", "cat", "")


@pytest.mark.parametrize(("cells", "separator"), [(CELLS, ","), (COMMA_CELLS, ";")])
def test_types_are_those_that_polars_infers(tmp_path: Path, cells: tuple[str, ...], separator: str) -> None:
    """Every pair of cells is a column of two rows. The first column tells of decimal commas."""
    pairs = list(product(cells, repeat=2))
    first = "1,5" if separator == ";" else "x"
    names = separator.join(["first", *(f"c{i}" for i in range(len(pairs)))])
    rows = [separator.join([first, *(pair[side] for pair in pairs)]) for side in (0, 1)]
    content = "\n".join([names, *rows, ""])
    (tmp_path / "t.csv").write_text(content, encoding="utf-8")
    expected = pl.read_csv(
        io.StringIO(content), separator=separator, infer_schema_length=None, decimal_comma=separator == ";"
    )
    found = read_table_file(tmp_path / "t.csv").frame
    assert found.columns == expected.columns
    for name in expected.columns:
        assert_series_equal(found[name], expected[name])


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["007", "12"], ["007", "12"]),
        (["", "00"], [None, "00"]),
        (["True", "False"], ["True", "False"]),
        (["\u0663", "1"], ["\u0663", "1"]),  # a digit of another script
        (["9" * 60, "1"], ["9" * 60, "1"]),
        (["0", "7"], [0, 7]),
    ],
)
def test_what_a_number_would_spell_anew_stays_text(
    tmp_path: Path, cells: list[str], values: list[object]
) -> None:
    rows = "".join(f"{cell},k\n" for cell in cells)
    (tmp_path / "t.csv").write_text(f"x,y\n{rows}", encoding="utf-8")
    assert read_table_file(tmp_path / "t.csv").frame["x"].to_list() == values
