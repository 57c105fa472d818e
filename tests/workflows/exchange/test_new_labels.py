"""Pictures that were proposed for labelling come back with their labels and join the training images."""

import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.config import StudyConfig
from deepsight.core.decisions import read_decisions
from deepsight.core.errors import UsageError
from deepsight.core.run import Run
from deepsight.obtain import load_dataset
from deepsight.workflows.exchange.new_labels import NewLabel, read_new_labels_table, write_new_labels
from deepsight.workflows.label_next import write_tasks

CLASSES = ("=ant", "bee")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


def picture(path: Path, grey: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (grey, grey, grey)).save(path)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on a folder of two classes with a test part."""
    for part, start in {"train": 0, "test": 100}.items():
        for i in range(12):
            picture(tmp_path / "photos" / part / CLASSES[i % 2] / f"{i}.png", start + i)
    return Run.create(tmp_path / "run", StudyConfig(data=f"folder:{tmp_path / 'photos'}").stored())


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Four proposed pictures: labelled, labelled but unwanted, skipped, labelled against the guess."""
    for i in range(4):
        picture(tmp_path / "pool" / "a" / f"{i}.png", 200 + i)
    chosen = pl.DataFrame(
        {
            "file": [f"a/{i}.png" for i in range(4)], "predicted": ["bee"] * 4, "confidence": [0.5] * 4,
            "expected_error": [0.5] * 4, "unfamiliarity": [0.5] * 4,
        }
    )  # fmt: skip
    write_tasks(tmp_path / "tasks", tmp_path / "pool", chosen, range(4), CLASSES)
    tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text(encoding="utf-8"))
    answers = [{"label": "bee"}, {"label": "bee", "decision": "remove"}, {}, {"label": "=ant"}]
    for task, answer in zip(tasks, answers, strict=True):
        result = [{"from_name": name, "value": {"choices": [value]}} for name, value in answer.items()]
        task["annotations"] = [{"result": result, "updated_at": "2026-11-29", "completed_by": 7}]
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks), encoding="utf-8")
    return file


def test_proposed_pictures_join_the_training_images(run: Run, export: Path, tmp_path: Path) -> None:
    out = tmp_path / "decisions.csv"
    received = CliRunner().invoke(app, ["receive", str(export), "--from", "label-studio", "--out", str(out)])
    assert received.exit_code == 0, received.output
    assert "2 new pictures" in received.output
    assert read_decisions(out) == ()
    table = tmp_path / "decisions-new.csv"
    assert [(one.label, one.who) for one in read_new_labels_table(table, CLASSES)] == [
        ("bee", "7"), ("=ant", "7")
    ]  # fmt: skip
    applied = CliRunner().invoke(
        app, ["apply", str(run.path), str(out), "--to", str(tmp_path / "larger"), "--add", str(table)]
    )
    assert applied.exit_code == 0, applied.output
    assert "train: 2 added" in applied.output
    larger = load_dataset(f"table:{tmp_path / 'larger' / 'cleaned.csv'}")
    greys = larger.train.pixels()[:, 0, 0, 0].tolist()
    assert greys[-2:] == [200, 203]
    assert [larger.train.classes[label] for label in larger.train.labels[-2:]] == ["bee", "=ant"]
    assert (len(larger.train), len(larger.test)) == (14, 12)


def test_a_class_or_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    there = picture(tmp_path / "a.png", 1)
    write_new_labels(tmp_path / "labels.csv", [NewLabel(str(there), "wasp")])
    with pytest.raises(UsageError, match=r"one of the classes .* received 'wasp'"):
        read_new_labels_table(tmp_path / "labels.csv", CLASSES)
    write_new_labels(tmp_path / "labels.csv", [NewLabel("absent.png", "bee")])
    with pytest.raises(UsageError, match="but it is not there"):
        read_new_labels_table(tmp_path / "labels.csv", CLASSES)
    (tmp_path / "labels.csv").write_text("file,label\na.png,bee\n")
    with pytest.raises(UsageError, match="the columns path and label"):
        read_new_labels_table(tmp_path / "labels.csv", CLASSES)
