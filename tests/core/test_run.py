"""A run folder holds one study, whole files only, and nobody else's."""

import os

import numpy as np
import polars as pl
import pytest

from deepsight.core import run as module
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.core.predictions import Predictions
from deepsight.core.run import Run

STUDY = {"data": "cifar10", "seed": 0, "classes": ("cat", "dog"), "minutes": 5.0}


def test_a_new_folder_holds_the_study(tmp_path):
    run = Run.create(tmp_path / "runs" / "first", STUDY)
    assert run.study() == {**STUDY, "classes": ["cat", "dog"]}
    assert list(run.study()) == list(STUDY)


def test_the_same_study_is_taken_up_again(tmp_path):
    Run.create(tmp_path, STUDY).save_json("data.json", {"source": "cache"})
    again = Run.create(tmp_path, STUDY)
    assert again.has("data.json")
    assert Run.open(tmp_path).read_json("data.json") == {"source": "cache"}


def test_another_study_is_refused_and_the_difference_named(tmp_path):
    Run.create(tmp_path, STUDY)
    with pytest.raises(DeepSightError, match=r"its seed is 0, not 1\. Choose another --out"):
        Run.create(tmp_path, {**STUDY, "seed": 1})
    assert Run.open(tmp_path).study()["seed"] == 0


def test_a_folder_of_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(DeepSightError, match="an empty folder or a run"):
        Run.create(tmp_path, STUDY)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.doc"]


def test_leftovers_of_a_killed_process_do_not_count(tmp_path):
    (tmp_path / ".study.yaml.x.part").write_text("half")
    assert Run.create(tmp_path, STUDY).study()["seed"] == 0


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DeepSightError, match="Expected to write"):
        Run.create(tmp_path / "out", STUDY)


def test_a_folder_that_is_read_only_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module.os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(DeepSightError, match=r"read-only\. Choose another --out"):
        Run.create(tmp_path, STUDY)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_study_cannot_be_opened(tmp_path):
    with pytest.raises(DeepSightError, match=r"a study.yaml in .*deepsight run --out"):
        Run.open(tmp_path)


def test_splits_history_and_predictions_survive_the_disk(tmp_path):
    run = Run.create(tmp_path, STUDY)
    rows = {"train": np.arange(5), "val": np.array([7, 6]), "test": np.arange(2)}
    run.save_splits(rows)
    assert all((run.splits()[name] == value).all() for name, value in rows.items())
    history = pl.DataFrame({"phase": ["frozen"], "val_macro_f1": [0.5]})
    run.save_history(history)
    assert run.history().equals(history)
    said = Predictions(np.arange(2), np.array([0, 1]), np.eye(2, dtype=np.float32), np.zeros((2, 0)))
    run.save_predictions("test", said)
    np.testing.assert_array_equal(run.predictions("test").logits, said.logits)
    assert len(run.evidence()) == 0
    run.save_evidence(Evidence())
    metrics = {
        "macro_f1": 0.9, "macro_f1_ci95": [0.8, 1.0], "accuracy": 0.9, "mva": 0.5, "mva_passed": True,
        "n_test": 40, "further": "kept",
    }  # fmt: skip
    run.save_json("metrics.json", metrics)
    assert run.metrics() == metrics
    for name, value in (("macro_f1", "0.9"), ("macro_f1", float("nan")), ("n_test", None), ("mva", 7)):
        run.save_json("metrics.json", {**metrics, name: value})
        with pytest.raises(DeepSightError, match=rf"undamaged, but .*{name}: Input should be"):
            run.metrics()
    assert not list(tmp_path.rglob("*.part"))
