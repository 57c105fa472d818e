"""Every table that names rows names their files; no other table changes."""

import numpy as np
import polars as pl

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence, Table
from deepsight.core.file_columns import file_names, with_files


def table(**columns):
    return Table(pl.DataFrame(columns), dict.fromkeys(columns, "x"), 1, "m.", "c.")


def part(names, ids):
    n = len(ids)
    return Dataset(
        np.zeros((n, 4, 4, 3), np.uint8), np.zeros(n, np.int64), ("a", "b"), np.array(ids), "all",
        np.array(names, dtype=object),
    )  # fmt: skip


NAMES = file_names({"train": part(["t5", "t7"], [5, 7]), "test": part(["x0", "x5"], [0, 5])})


def test_the_file_stands_beside_the_row_by_its_split():
    found = with_files(
        Evidence(
            {
                "both": table(split=["train", "test", "test"], index=[5, 5, 9]),
                "test": table(index=[5, 0]),
                "pairs": table(split_a=["train"], index_a=[7], split_b=["test"], index_b=[0]),
                "maps": table(split=["test"], index=[0], file=["maps/0.webp"]),
                "none": table(bin_low=[0.0]),
            }
        ),
        NAMES,
    )
    assert found["both"].frame["file"].to_list() == ["t5", "x5", None]
    assert found["test"].frame["file"].to_list() == ["x5", "x0"]
    assert found["pairs"].frame.select("file_a", "file_b").rows() == [("t7", "x0")]
    assert found["maps"].frame.select("file", "image_file").rows() == [("maps/0.webp", "x0")]
    assert found["none"].frame.columns == ["bin_low"]
    assert with_files(found, NAMES)["both"].frame.columns == found["both"].frame.columns


def test_without_names_nothing_changes():
    evidence = Evidence({"test": table(index=[0])})
    assert with_files(evidence, file_names({})) is evidence
    other = file_names({"test": part(["x0"], [7])})
    assert with_files(evidence, other)["test"].frame.columns == ["index"]
