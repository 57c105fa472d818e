"""The content of a run in the terms that trackers share: parameters, metrics, tags, artefacts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepsight.core.evidence import Evidence
from deepsight.core.run import METRICS, REPORT, STUDY, Run
from deepsight.report.html import flat_csv

FILES = (
    REPORT,
    METRICS,
    STUDY,
    "data.json",
    "model.json",
    "environment.json",
    "junit.xml",
    "history.parquet",
)
INTERVAL = {"macro_f1_ci95": "macro_f1", "accuracy_ci95": "accuracy",
            "macro_f1_without_leaks_ci95": "macro_f1_without_leaks"}  # fmt: skip
NOT_SCORES = ("seed", "resolution", "mva")  # numbers in metrics.json that are parameters


@dataclass(frozen=True)
class TrackedRun:
    """A finished run.

    Attributes:
        name: of the run folder.
        path: the run folder.
        parameters: the settings of study.yaml by dotted name.
        metrics: the headline numbers, with both ends of their intervals and the seconds of each stage.
        epochs: the metrics of each epoch, in order.
        tags: one per gate, and whether all of them passed.
        evidence: the tables.
        files: files of the run folder to keep as artefacts.
    """

    name: str
    path: Path
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    epochs: tuple[Mapping[str, float], ...]
    tags: Mapping[str, str]
    evidence: Evidence
    files: tuple[Path, ...]

    def tables(self) -> Iterator[tuple[str, str]]:
        """Each evidence table as CSV, by its name."""
        for name, table in self.evidence.items():
            yield name, flat_csv(table.frame)


def tracked_run(run: str | Path) -> TrackedRun:
    """Read the content of a run for a tracker.

    Raises:
        DeepSightError: there is no run, or it has no metrics yet.
    """
    opened = Run.open(Path(run)).require(METRICS, stage="interpret")
    metrics = opened.metrics()
    history = opened.history() if opened.has("history.parquet") else None
    return TrackedRun(
        name=opened.path.resolve().name,
        path=opened.path,
        parameters=dict(dotted(opened.study())),
        metrics=dict(scores(metrics)),
        epochs=() if history is None else tuple(numeric_values(row) for row in history.iter_rows(named=True)),
        tags=gate_tags(metrics),
        evidence=opened.evidence(),
        files=tuple(opened.file(name) for name in FILES if opened.has(name)),
    )


def dotted(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as pairs of a dotted name and a plain value, without unset ones."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{before}{key}.")
        elif isinstance(value, list | tuple):
            yield f"{before}{key}", ", ".join(map(str, value))
        elif value is not None:
            yield f"{before}{key}", value


def scores(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of metrics.json, with both ends of each interval."""
    for name, value in metrics.items():
        if name in INTERVAL and value:
            yield f"{INTERVAL[name]}_low", float(value[0])
            yield f"{INTERVAL[name]}_high", float(value[1])
        elif name == "seconds":
            yield from ((f"seconds.{stage}", float(time)) for stage, time in value.items())
        elif is_number(value) and name not in NOT_SCORES:
            yield name, float(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def numeric_values(row: Mapping[str, Any]) -> dict[str, float]:
    """The numeric values of a row."""
    return {name: float(value) for name, value in row.items() if is_number(value)}


def gate_tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """The outcome of the MVA and of each gate as tags; the tag `gates` says whether all passed."""
    outcomes = {} if metrics.get("mva") is None else {
        f"gate.macro_f1 >= {metrics['mva']:g}": bool(metrics["mva_passed"])
    }  # fmt: skip
    outcomes |= {f"gate.{one['gate']}": bool(one["passed"]) for one in metrics.get("gates", [])}
    tags = {name: outcome_word(passed) for name, passed in outcomes.items()}
    return {**tags, "gates": outcome_word(all(outcomes.values()))} if outcomes else {}


def outcome_word(passed: bool) -> str:
    """An outcome as a word."""
    return "passed" if passed else "failed"
