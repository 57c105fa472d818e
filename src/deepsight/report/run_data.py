"""The content of a run folder, read once for the report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.core.run import Run

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class RunData:
    """The stored content of a run; empty where an interrupted run has none yet.

    Attributes:
        path: the run folder.
        configuration: `study.yaml`.
        metrics, data, environment, hypotheses, model, audit: the JSON files of these names.
        history: one row per epoch, or None before training.
        evidence: all tables so far.
        given: one row (split, index, class) per image; empty in runs of earlier versions.
    """

    path: Path
    configuration: Facts
    metrics: Facts
    data: Facts
    environment: Facts
    hypotheses: Facts
    model: Facts
    audit: Facts
    history: pl.DataFrame | None
    evidence: Evidence
    given: pl.DataFrame

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.path.resolve().name

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that identify this run by its data, its model and its errors."""
        errors = self.evidence.get("errors")
        parts = {
            "data": self.data.get("digests", self.data),
            "model": {name: self.model.get(name) for name in ("architecture", "classes", "recipe_digest")},
            "errors": None if errors is None else errors.frame.write_csv(),
        }
        return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]

    @property
    def classes(self) -> list[str]:
        """The names of the classes in their order; empty if the run does not store them."""
        named = self.model.get("classes") or self.data.get("classes")
        return list(named or dict.fromkeys(row["true"] for row in self.rows("confusion", "true")))

    @property
    def is_audit(self) -> bool:
        """Whether this is the audit of a data set, not a study."""
        return "audited" in self.configuration

    def table(self, name: str, *columns: str) -> Table | None:
        """The evidence table of this name if it exists and has these columns."""
        table = self.evidence.get(name)
        if table is None or not set(columns) <= set(table.frame.columns):
            return None
        return table

    def rows(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """The rows of a table as dictionaries; an empty list without the table."""
        table = self.table(name, *columns)
        return [] if table is None else table.frame.to_dicts()


def read_run_data(run: Run) -> RunData:
    """Read everything that the report shows; missing files become empty facts."""
    facts = {
        name: run.read_json(f"{name}.json") if run.has(f"{name}.json") else {}
        for name in ("metrics", "data", "environment", "hypotheses", "model", "audit")
    }
    history = run.history() if run.has("history.parquet") else None
    return RunData(
        run.path, run.study(), **facts, history=history, evidence=run.evidence(), given=run.given_classes()
    )
