"""Stored tables and predictions of a run that a stranger has changed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class ColumnChange:
    """One change to a stored table of a run.

    Attributes:
        file: that is changed.
        column: that gets other values, or is taken away.
        how: a name in `COLUMN_CHANGES`.
    """

    file: str
    column: str
    how: str

    def apply(self, run: Path) -> None:
        """Change the run."""
        frame = read_table(run / self.file)
        with (run / self.file).open("wb") as file:
            COLUMN_CHANGES[self.how](frame, self.column).write_parquet(file)


@dataclass(frozen=True)
class ArrayChange:
    """One change to a stored file of arrays of a run: the splits, or predictions.

    Attributes:
        file: that is changed.
        how: a name in `SPLIT_CHANGES` or in `PREDICTION_CHANGES`.
    """

    file: str
    how: str

    def apply(self, run: Path) -> None:
        """Change the run."""
        with np.load(run / self.file) as file:
            arrays = {name: file[name] for name in file.files}
        change = (SPLIT_CHANGES if self.file == "splits.npz" else PREDICTION_CHANGES)[self.how]
        np.savez(run / self.file, **{**arrays, **change(arrays)})


def read_table(path: Path) -> pl.DataFrame:
    """A stored table; the path is taken literally."""
    with path.open("rb") as file:
        return pl.read_parquet(file)


def filled(value: Any) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    """Give every row of a column this value."""
    return lambda frame, column: frame.with_columns(pl.Series(column, [value] * len(frame)))


def first_is(value: float | None) -> Callable[[pl.DataFrame, str], pl.DataFrame]:
    """Give the first row of a column this value, where the column holds numbers; None in any column."""

    def change(frame: pl.DataFrame, column: str) -> pl.DataFrame:
        values = frame[column]
        if not len(values) or (value is not None and not values.dtype.is_numeric()):
            return frame
        made = pl.Series(column, [value], dtype=pl.Float64) if value is not None else values.clear(1)
        if value is not None and values.dtype.is_integer() and float(value).is_integer():
            made = pl.Series(column, [int(value)], dtype=pl.Int64)
            values = values.cast(pl.Int64)
        elif value is not None:
            values = values.cast(pl.Float64)
        return frame.with_columns(made.extend(values[1:]))

    return change


COLUMN_CHANGES: Mapping[str, Callable[[pl.DataFrame, str], pl.DataFrame]] = {
    "text": filled("x"),
    "numbers": filled(0.5),
    "flags": filled(True),
    "lists": filled([1]),
    "structs": filled({"a": 1}),
    "bytes": filled(b"x"),
    "missing": lambda frame, column: frame.drop(column),
    "added": lambda frame, _: frame.with_columns(more=pl.lit(0.5)),
    "added structs": lambda frame, _: frame.with_columns(more=pl.Series([{"a": 1}] * len(frame))),
    "no value": first_is(None),
    "three": first_is(3.0),
    "negative": first_is(-1.0),
    "huge": first_is(1e15),
    "NaN": first_is(float("nan")),
    "infinite": first_is(float("inf")),
    "no rows": lambda frame, _: frame.clear(),
    "rows twice": lambda frame, _: pl.concat([frame, frame]),
}
SPLIT_CHANGES: Mapping[str, Callable[[Arrays], Arrays]] = {
    "beyond": lambda a: {"test": a["test"] + 10**6},
    "negative": lambda a: {"test": a["test"] - 10**6},
    "twice": lambda a: {"test": np.concatenate([a["test"], a["test"]])},
    "fewer": lambda a: {"test": a["test"][1:], "val": a["val"][1:]},
    "none": lambda a: {"test": a["test"][:0], "val": a["val"][:0], "train": a["train"][:0]},
    "numbers": lambda a: {"test": a["test"] + 0.5},
    "text": lambda a: {"test": a["test"].astype(str)},
    "shared": lambda a: {"val": a["train"][: len(a["val"])]},
}
PREDICTION_CHANGES: Mapping[str, Callable[[Arrays], Arrays]] = {
    "ids beyond": lambda a: {"ids": a["ids"] + 10**6},
    "ids negative": lambda a: {"ids": a["ids"] - 10**6},
    "ids twice": lambda a: {"ids": np.zeros_like(a["ids"])},
    "ids as text": lambda a: {"ids": a["ids"].astype(str)},
    "fewer rows": lambda a: {name: values[1:] for name, values in a.items()},
    "no rows": lambda a: {name: values[:0] for name, values in a.items()},
    "rows that do not fit": lambda a: {"labels": a["labels"][1:]},
    "labels beyond": lambda a: {"labels": a["labels"] + 99},
    "labels negative": lambda a: {"labels": a["labels"] - 1},
    "NaN": lambda a: {"logits": np.full_like(a["logits"], np.nan)},
    "infinite": lambda a: {"logits": np.full_like(a["logits"], np.inf)},
    "huge": lambda a: {"logits": np.full_like(a["logits"], 3e38)},
    "no features": lambda a: {"features": a["features"][:, :0]},
    "other features": lambda a: {"features": np.repeat(a["features"], 2, axis=1)},
    "NaN features": lambda a: {"features": np.full_like(a["features"], np.nan)},
    "other classes": lambda a: {"logits": np.repeat(a["logits"], 2, axis=1)},
    "one class": lambda a: {"logits": a["logits"][:, :1], "labels": np.zeros_like(a["labels"])},
    "other kinds": lambda a: {"logits": a["logits"].astype(str)},
}


def tables_of(run: Path) -> Iterator[tuple[str, list[str]]]:
    """The stored tables of a run by their path in it, with their columns."""
    for path in sorted(run.rglob("*.parquet")):
        with path.open("rb") as file:
            yield path.relative_to(run).as_posix(), list(pl.read_parquet_schema(file))


def column_changes_of(run: Path, rng: np.random.Generator, count: int) -> Iterator[ColumnChange]:
    """So many random changes to the stored tables of a run."""
    tables = list(tables_of(run))
    for _ in range(count):
        name, columns = tables[int(rng.integers(len(tables)))]
        how = list(COLUMN_CHANGES)[int(rng.integers(len(COLUMN_CHANGES)))]
        yield ColumnChange(name, columns[int(rng.integers(len(columns)))], how)


def array_changes_of(run: Path) -> Iterator[ArrayChange]:
    """Every change to the splits and to the predictions of a run."""
    yield from (ArrayChange("splits.npz", how) for how in SPLIT_CHANGES)
    for path in sorted((run / "predictions").glob("*.npz")):
        name = path.relative_to(run).as_posix()
        yield from (ArrayChange(name, how) for how in PREDICTION_CHANGES)
