"""JSON Schemas of the files that other programs read and write, made from the types: docs/schemas."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from deepsight.config import StudyConfig
from deepsight.core.decisions import Decision
from deepsight.core.files.atomic import write_json
from deepsight.core.schemas.json_files import AuditResults, Metrics

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each file by its name."""
    made = {
        "study": StudyConfig.model_json_schema(),
        "metrics": Metrics.model_json_schema(),
        "audit": AuditResults.model_json_schema(),
        "decisions": TypeAdapter(list[Decision]).json_schema(),
    }
    return {name: {"$schema": DIALECT, **without_docstrings(schema)} for name, schema in made.items()}


def without_docstrings(schema: Any) -> Any:
    """A schema without the docstrings of its types, which are meant for readers of the code."""
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
