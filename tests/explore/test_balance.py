"""Counts against numpy, and the words about them."""

import numpy as np
import polars as pl
import pytest

from deepsight.explore import balance


def test_counts_and_shares_by_split() -> None:
    splits = {"train": np.array([0, 0, 1, 2]), "val": np.array([1, 0, 2])}
    table = balance.balance_table(splits, ("a", "b", "c"))
    train = table.frame.filter(split="train")
    assert train["n"].to_list() == [2, 1, 1]
    assert train["share"].to_list() == [0.5, 0.25, 0.25]
    assert table.frame.group_by("split").agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
        [1, 1]
    )
    assert table.n == 7
    assert table.caption == "train: 1 to 2 images per class; val: 1 image in every class."


def test_an_empty_split_has_no_shares() -> None:
    frame = balance.balance_table({"test": np.zeros(0, dtype=np.int64)}, ("a", "b")).frame
    assert frame["n"].to_list() == [0, 0]
    assert frame["share"].to_list() == [0, 0]
