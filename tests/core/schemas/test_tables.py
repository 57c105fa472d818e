"""The tables of a real run fit the kinds; a column of another kind is refused with its name."""

from pathlib import Path

import polars as pl
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence, Table, stored_table
from deepsight.core.run import Run
from deepsight.core.schemas.table_columns import REQUIRED
from deepsight.core.schemas.tables import (
    COLUMNS,
    EXCEPTIONS,
    KINDS,
    TABLES,
    require_kinds,
    with_types_of_empty_columns,
)

OF_KIND = {
    "whole": pl.Series([1]), "number": pl.Series([0.5]), "text": pl.Series(["a"]), "flag": pl.Series([True]),
    "list of text": pl.Series([["a"]]), "list of whole": pl.Series([[1]]),
    "list of number": pl.Series([[0.5]]),
}  # fmt: skip
FITS = {(kind, kind) for kind in OF_KIND} | {("number", "whole"), ("list of number", "list of whole")}


@pytest.mark.parametrize("kind", OF_KIND)
def test_only_values_of_its_kind_fit_a_column(kind: str) -> None:
    name = COLUMNS[kind].split()[0]
    for other, values in OF_KIND.items():
        frame = pl.DataFrame({name: values})
        if (kind, other) in FITS:
            require_kinds("recall", frame)
        else:
            with pytest.raises(ValueError, match=f"its column '{name}' should hold"):
                require_kinds("recall", frame)
    require_kinds("recall", pl.DataFrame({name: pl.Series([None])}))


def test_a_table_may_give_a_name_a_meaning_of_its_own() -> None:
    require_kinds("metadata_scores", pl.DataFrame({"value": ["left"]}))
    with pytest.raises(ValueError, match="should hold text"):
        require_kinds("metadata_scores", pl.DataFrame({"value": [0.5]}))
    assert {table for table, _ in EXCEPTIONS} <= TABLES
    assert {name for _, name in EXCEPTIONS} <= set(KINDS)


def test_no_name_has_two_kinds() -> None:
    names = [name for names in COLUMNS.values() for name in names.split()]
    assert len(names) == len(set(names))


def test_a_run_with_a_column_of_another_kind_is_refused_with_a_sentence(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"data": "cifar10"})
    frame = pl.DataFrame({"split": ["test"], "index": [3], "score": [0.5]})
    units = dict.fromkeys(frame.columns, "made")
    run.save_evidence(Evidence({"ambiguity": Table(frame, units, 1, "Made.", "Made.")}))
    frame.cast({"index": pl.String}).write_parquet(run.file("evidence/ambiguity.parquet"))
    with pytest.raises(DeepSightError, match="its column 'index' should hold whole numbers, not String"):
        run.evidence()


def test_rows_of_a_split_are_whole_numbers(tmp_path: Path) -> None:
    import numpy as np

    run = Run.create(tmp_path / "run", {"data": "cifar10"})
    run.save_splits({name: np.array([0.5]) for name in ("train", "val", "test")})
    with pytest.raises(DeepSightError, match="it should hold rows, whole numbers"):
        run.splits()


def test_a_column_without_values_or_a_type_gets_the_type_of_its_values(tmp_path: Path) -> None:
    """Such a column of duplicates ended the report with an error of polars."""
    frame = pl.DataFrame(
        {"true": [None], "predicted": ["b"], "count": [None], "rate": [None], "extra": [None]}
    )
    assert frame.schema["true"] == pl.Null
    typed = with_types_of_empty_columns("confusion", frame)
    assert typed.schema == {
        "true": pl.String, "predicted": pl.String, "count": pl.Int64, "rate": pl.Float64, "extra": pl.Null,
    }  # fmt: skip
    names = pl.DataFrame({"true": ["a"], "position": [1]})
    assert typed.join(names, on="true", how="left")["position"].to_list() == [None]
    (tmp_path / "duplicates.parquet").touch()
    empty = pl.DataFrame({name: [] for name in REQUIRED["duplicates"]})
    empty.write_parquet(tmp_path / "duplicates.parquet")
    about = {"units": dict.fromkeys(empty.columns, "as said"), "n": 0, "method": "Made.", "caption": "None."}
    read = stored_table(tmp_path / "duplicates.parquet", about)
    assert read.frame.schema["split_a"] == pl.String
