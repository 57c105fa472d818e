"""A number that DeepSight never writes is refused with its column; every number that it may write is not."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepsight.core.schemas.ranges import MAY_BE_NAN, OWN_RANGES, RANGES, require_ranges
from deepsight.core.schemas.table_columns import KNOWN
from deepsight.core.schemas.tables import EXCEPTIONS, KINDS, checked_table

NAN, INFINITE = float("nan"), float("inf")
PLAIN = {
    "whole": 1, "number": 0.5, "text": "a", "flag": True, "list of text": ["a"], "list of whole": [1],
    "list of number": [0.5],
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("label_errors", "score", 3.0), ("label_errors", "score", -0.1), ("duplicates", "score", NAN),
        ("recall", "recall", 1.01), ("recall", "n", -1), ("recall", "n", 2**60),
        ("recall", "ci_low", INFINITE),
        ("confusion", "count", -3), ("ledger", "parts", [0.5, 1.5]), ("slices", "examples", [1, -1]),
        ("faithfulness", "value", NAN), ("history", "train_loss", -1.0), ("levers", "seconds", -INFINITE),
        ("a table of a later version", "anything", NAN),
    ],
)  # fmt: skip
def test_a_number_out_of_range_is_named(table: str, column: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"its column '{column}' should hold .*, not "):
        require_ranges(table, pl.DataFrame({column: [value]}))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("label_errors", "score", 1.0), ("recall", "recall", 1 + 1e-7), ("recall", "n", 0),
        ("ledger_change", "difference", -5), ("faithfulness", "ci_low", NAN), ("context", "ci_low", -9.6),
        ("attribution_maps", "evidence", -20.7), ("degradation", "ci_low", None),
        ("ledger", "parts", [0.0, None]),
        ("levers", "net", 1.25), ("slices", "examples", []), ("mean_images", "r", 255),
    ],
)  # fmt: skip
def test_a_table_with_numbers_that_it_writes_is_read_unchanged(
    table: str, column: str, value: object
) -> None:
    row = {name: [PLAIN[EXCEPTIONS.get((table, name)) or KINDS[name]]] for name in KNOWN[table]}
    frame = pl.DataFrame(row).with_columns(pl.Series(column, [value]))
    read = checked_table(table, frame)
    values = read[column].to_list()
    assert values == pytest.approx([value], nan_ok=True) if isinstance(value, float) else values == [value]
    assert_frame_equal(read.drop(column), frame.drop(column))


def test_every_range_is_of_a_column_that_exists() -> None:
    assert set(RANGES) <= set(KINDS)
    for table, column in {*OWN_RANGES, *MAY_BE_NAN}:
        assert column in KNOWN[table]
