"""A stored table has its columns, and values where its rows are found by them."""

import polars as pl
import pytest

from deepsight.core.evidence import FIXED_COLUMNS
from deepsight.core.schemas.table_columns import KNOWN, REQUIRED, require_columns
from deepsight.core.schemas.tables import EXCEPTIONS, KINDS, TABLES, checked_table, require_table

ERRORS = pl.DataFrame(
    {"index": [3, 5], "true": ["a", "b"], "predicted": ["b", "a"], "confidence": [0.9, 0.8]}
)


def test_a_whole_table_may_have_more_columns_of_plain_values() -> None:
    require_table("errors", ERRORS)
    require_table("errors", ERRORS.with_columns(more=pl.lit("x")))
    with pytest.raises(ValueError, match="its column 'more' should hold plain values, not Struct"):
        require_table("errors", ERRORS.with_columns(more=pl.Series([{"a": 1}] * 2)))


@pytest.mark.parametrize("name", ERRORS.columns)
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"its column '{name}' is missing"):
        require_table("errors", ERRORS.drop(name))


def test_a_row_has_what_it_is_found_by_and_what_commands_compute_with() -> None:
    with pytest.raises(ValueError, match="its column 'true' should hold a value in each row"):
        require_columns("errors", ERRORS.with_columns(true=pl.lit(None, pl.String)))
    with pytest.raises(ValueError, match="its column 'confidence' should hold a value in each row"):
        require_columns("errors", ERRORS.with_columns(confidence=pl.lit(None, pl.Float64)))
    bins = {"bin_low": [0.0], "bin_high": [0.5], "n": [0], "confidence": [None], "accuracy": [None]}
    require_columns("calibration", pl.DataFrame(bins))  # of an empty bin nothing is known


def test_a_table_without_rows_is_whole() -> None:
    typed = checked_table("errors", ERRORS.clear())
    untyped = checked_table("errors", pl.DataFrame({name: [] for name in ERRORS.columns}))
    for read in (typed, untyped):
        assert read.is_empty()
        assert read.schema == ERRORS.schema


def test_the_lists_agree() -> None:
    assert set(REQUIRED) == set(KNOWN) == TABLES
    for table, names in FIXED_COLUMNS.items():
        assert set(names) <= set(REQUIRED[table]), table
    for table, names in KNOWN.items():
        assert {name for name in names if (table, name) not in EXCEPTIONS} <= set(KINDS), table
