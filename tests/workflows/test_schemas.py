"""The schemas in docs/schemas are those of the types, and real files fit them."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from deepsight.config import StudyConfig
from deepsight.core.decisions import Decision
from deepsight.core.recipe import Recipe
from deepsight.workflows.schemas import Metrics, schemas

FOLDER = Path(__file__).parents[2] / "docs/schemas"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_files_are_up_to_date(name: str) -> None:
    stored = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(schemas()[name])), "run: python -m deepsight.workflows.schemas"


def test_every_schema_has_a_file_and_no_other() -> None:
    assert {path.name.removesuffix(".schema.json") for path in FOLDER.iterdir()} == set(schemas())


def test_metrics_as_a_run_writes_them_fit() -> None:
    written = {
        "macro_f1": 0.9, "macro_f1_ci95": [0.89, 0.91], "accuracy": 0.9, "mva": 0.65, "mva_passed": True,
        "n_test": 10, "seconds": {"total": 3.0}, "a_later_key": 1,
    }  # fmt: skip
    assert Metrics.model_validate_json(json.dumps(written)).n_test == 10
    for wrong in (1.5, "0.9", float("nan"), None):
        with pytest.raises(ValidationError):
            Metrics.model_validate_json(json.dumps({**written, "macro_f1": wrong}))


def test_the_schema_of_a_study_knows_every_key_that_is_stored() -> None:
    stored = StudyConfig(gates=("accuracy >= 0.5",)).stored()
    assert set(stored) <= set(schemas()["study"]["properties"])
    assert "recipe" in json.dumps(schemas()["study"]["$defs"]["StudyPlan"])
    assert Recipe.__name__ in schemas()["study"]["$defs"]


def test_decisions_round_trip_through_their_schema() -> None:
    one = Decision("a.png", 3, "test", "cat", "relabel", "dog", "Ada", "2026-11-29")
    adapter = TypeAdapter(list[Decision])
    assert adapter.validate_json(adapter.dump_json([one])) == [one]
