"""The findings of a study: an ordered collection of tidy tables with units, n, method and caption."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import atomic_path, write_json
from deepsight.core.notebook_html import evidence_html, table_html
from deepsight.core.schemas.tables import checked_table

PLAIN_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")  # of a table; it becomes a file name
# Columns that other programs rely on. Tables may have more.
FIXED_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "duplicates": ("split_a", "index_a", "split_b", "index_b", "score", "kind"),
        "interpolation": ("method", "antialias", "macro_f1", "ci_low", "ci_high", "detail_kept", "chosen"),
        "balance": ("split", "class", "n", "share"),
        "hypotheses": ("name", "statement", "test", "effect", "ci_low", "ci_high", "p_value", "verdict"),
        "confusion": ("true", "predicted", "count", "rate"),
        "confusion_pairs": (
            "true", "predicted", "count", "rate", "ci_low", "ci_high", "p_value", "q_value", "flagged",
        ),
        "recall": ("class", "group", "n", "recall", "ci_low", "ci_high", "precision", "f1"),
        "calibration": ("bin_low", "bin_high", "n", "confidence", "accuracy"),
        "label_errors": ("split", "index", "given", "suggested", "score", "flagged"),
        "ambiguity": ("split", "index", "score"),
        "slices": (
            "description", "n", "error_rate", "baseline", "effect", "p_value", "q_value", "confirmed",
        ),
        "attribution": ("split", "index", "true", "predicted", "layer", "object_share", "file"),
        "faithfulness": ("check", "value", "baseline", "ci_low", "ci_high", "passed"),
        "context": ("test", "class", "effect", "ci_low", "ci_high", "minimum_detectable", "verdict"),
        "ledger": ("index", "true", "predicted", "cause", "support", "because"),
        "treatments": (
            "name", "target", "seeds", "delta_macro_f1", "ci_low", "ci_high", "p_value", "delta_target",
            "verdict",
        ),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One finding.

    Attributes:
        frame: one observation per row.
        units: the unit or meaning of every column, such as "share of images" or "class name".
        n: the number of images (or pairs, or seeds) behind the finding.
        method: how it was obtained, with its source, in one sentence.
        caption: what it shows, in one sentence.

    Raises:
        DeepSightError: the units do not match the columns, n is negative, or a text is missing.
    """

    frame: pl.DataFrame
    units: Mapping[str, str]
    n: int
    method: str
    caption: str

    def __post_init__(self) -> None:
        if set(self.units) != set(self.frame.columns):
            odd = sorted(set(self.units) ^ set(self.frame.columns))
            raise DeepSightError(
                f"Expected exactly one unit for each column; units and columns differ in {odd}."
            )
        texts = (self.method, self.caption, *self.units.values())
        plain = isinstance(self.n, int | np.integer) and all(isinstance(text, str) for text in texts)
        if not plain or self.n < 0 or not self.method or not self.caption:
            raise DeepSightError("Expected n of at least 0, a method and a caption for every table.")
        object.__setattr__(self, "units", MappingProxyType(dict(self.units)))

    def _repr_html_(self) -> str:
        """The first rows with caption, n and method, as a notebook shows them."""
        return table_html(self)

    def metadata(self) -> dict[str, Any]:
        """Everything but the frame, as stored in `evidence/index.json`."""
        return {"n": self.n, "method": self.method, "caption": self.caption, "units": dict(self.units)}


@dataclass(frozen=True)
class Evidence(Mapping[str, Table]):
    """An ordered, immutable mapping from name to `Table`; adding tables returns a new one.

    Raises:
        DeepSightError: a table lacks a column that other programs rely on.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, table in self.tables.items():
            missing = [c for c in FIXED_COLUMNS.get(name, ()) if c not in table.frame.columns]
            if missing:
                raise DeepSightError(f"Expected the columns {missing} in the evidence table '{name}'.")
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def _repr_html_(self) -> str:
        """Each finding with n and its caption, as a notebook shows them."""
        return evidence_html(self)

    def add(self, **tables: Table) -> "Evidence":
        """This evidence followed by these tables.

        Raises:
            DeepSightError: a name is taken; a finding never overwrites another.
        """
        return self.merge(Evidence(tables))

    def merge(self, other: "Evidence") -> "Evidence":
        """This evidence followed by the other.

        Raises:
            DeepSightError: a name is in both.
        """
        taken = sorted(set(self.tables) & set(other.tables))
        if taken:
            raise DeepSightError(f"Expected new names for evidence tables, received {taken} a second time.")
        return Evidence({**self.tables, **other.tables})

    def save(self, folder: Path, index: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Write each table as parquet, then `index.json`, which lists the tables that are valid.

        Args:
            folder: where the files go.
            index: metadata of the tables already there; by default the content of `index.json`.
        """
        known = dict(read_index(folder) if index is None else index)
        for name, table in self.tables.items():
            with atomic_path(folder / f"{name}.parquet") as path, path.open("wb") as file:
                table.frame.write_parquet(file)
            known[name] = table.metadata()
        write_json(folder / "index.json", known)

    @staticmethod
    def load(folder: Path) -> "Evidence":
        """Read the tables that `index.json` names, in its order."""
        return Evidence(
            {
                name: stored_table(folder / f"{name}.parquet", about)
                for name, about in read_index(folder).items()
            }
        )


def maps_refusal(evidence: Mapping[str, Table]) -> str | None:
    """Why no attribution map may be shown: the caption of `faithfulness` if a check failed, else None."""
    table = evidence.get("faithfulness")
    failed = table is not None and table.frame["passed"].eq(False).any()
    return table.caption if table is not None and failed else None


def read_index(folder: Path) -> dict[str, dict[str, Any]]:
    """The metadata of each table in a folder, in the order of writing; empty without an index.

    Raises:
        ValueError: `index.json` is not valid JSON, or holds an invalid table name.
    """
    path = folder / "index.json"
    if not path.exists():
        return {}
    index = json.loads(path.read_text(encoding="utf-8"))
    odd = [name for name in index if not PLAIN_NAME.fullmatch(name)]
    if odd:
        raise ValueError(f"'{odd[0]}' is not a table name")
    return dict(index)


def stored_table(path: Path, about: Mapping[str, Any]) -> Table:
    """The table in a parquet file. The path is taken literally: it is never a glob pattern.

    Raises:
        ValueError: the file does not hold what DeepSight writes there.
    """
    with path.open("rb") as file:
        frame = pl.read_parquet(file)
    frame = checked_table(path.stem, frame)
    try:
        return Table(frame=frame, **about)
    except DeepSightError as error:  # the caller adds what to do
        raise ValueError(str(error)) from error


def parquet_of(name: str) -> str:
    """The path of a table, relative to the run folder."""
    return f"evidence/{name}.parquet"
