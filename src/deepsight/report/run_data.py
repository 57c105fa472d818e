"""What the report draws, read once from the run folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from deepsight.core.evidence import Evidence, Table
from deepsight.core.run import Run

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class RunData:
    """The stored content of a run; empty where an interrupted run has not got to yet.

    Attributes:
        path: the run folder.
        configuration: `study.yaml`.
        metrics, data, environment, hypotheses, model: the JSON files of these names.
        history: one row per epoch, or None before training.
        evidence: all tables so far.
    """

    path: Path
    configuration: Facts
    metrics: Facts
    data: Facts
    environment: Facts
    hypotheses: Facts
    model: Facts
    history: pl.DataFrame | None
    evidence: Evidence

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.path.resolve().name

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
    """Read everything that the report shows; missing files give empty facts."""
    facts = {
        name: run.read_json(f"{name}.json") if run.has(f"{name}.json") else {}
        for name in ("metrics", "data", "environment", "hypotheses", "model")
    }
    history = run.history() if run.has("history.parquet") else None
    return RunData(run.path, run.study(), **facts, history=history, evidence=run.evidence())
