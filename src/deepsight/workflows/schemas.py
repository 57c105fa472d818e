"""JSON Schemas of what other programs read and write, made from the types: docs/schemas."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deepsight.config import StudyConfig
from deepsight.core.decisions import Decision
from deepsight.core.files.atomic import write_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Share = float
Interval = tuple[float, float]


class GateRecord(BaseModel):
    """What became of one gate, as in metrics.json."""

    gate: str
    passed: bool
    value: float
    low: float | None
    high: float | None
    n: int
    says: str


class ComparedScores(BaseModel):
    """Both runs against one set of labels, on the same images."""

    macro_f1_before: float
    macro_f1_after: float
    difference: float
    ci95: Interval
    p_value: float


class ComparedWith(BaseModel):
    """What `--compare-with` found; under the earlier labels only if labels of test images changed."""

    run: str
    n: int
    relabelled: int
    left_out: int
    added: int
    labels_of_this_run: ComparedScores
    labels_of_the_earlier_run: ComparedScores | None = None


class Metrics(BaseModel):
    """The content of metrics.json. Keys may be added, never renamed."""

    model_config = ConfigDict(extra="allow")

    macro_f1: float = Field(ge=0, le=1)
    macro_f1_ci95: Interval
    accuracy: float = Field(ge=0, le=1)
    accuracy_ci95: Interval | None = None
    mva: float = Field(ge=0, le=1)
    mva_passed: bool
    n_test: int = Field(ge=0)
    folds: int | None = None
    n_groups: int | None = None
    effective_n: float | None = None
    macro_f1_without_leaks: float | None = None
    macro_f1_without_leaks_ci95: Interval | None = None
    n_leaked: int | None = None
    backbone: str | None = None
    weights_source: str | None = None
    data_source: str | None = None
    resolution: int | None = None
    seed: int | None = None
    peak_rss_mb: float | None = None
    seconds: dict[str, float] = {}
    gates: list[GateRecord] = []
    compared_with: ComparedWith | None = None


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each file by its name."""
    made = {
        "study": StudyConfig.model_json_schema(),
        "metrics": Metrics.model_json_schema(),
        "decisions": TypeAdapter(list[Decision]).json_schema(),
    }
    return {name: {"$schema": DIALECT, **without_docstrings(schema)} for name, schema in made.items()}


def without_docstrings(schema: Any) -> Any:
    """A schema without the docstrings of its types, which are written for the readers of the code."""
    if isinstance(schema, list):
        return [without_docstrings(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_docstrings(value)
        for key, value in schema.items()
        if key != "description" or not isinstance(value, str)
    }


def write_schemas(folder: Path) -> list[Path]:
    """Write `NAME.schema.json` for each file."""
    written = []
    for name, schema in schemas().items():
        target = folder / f"{name}.schema.json"
        write_json(target, schema)
        written.append(target)
    return written


if __name__ == "__main__":
    write_schemas(Path("docs/schemas"))
