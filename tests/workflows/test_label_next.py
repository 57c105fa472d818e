"""The chosen pictures become tasks that Label Studio reads, the doubtful ones first."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.dataset import Dataset
from deepsight.core.errors import UsageError
from deepsight.core.run import Run
from deepsight.workflows.label_next import label_next, write_tasks


@pytest.fixture(scope="module")
def pool(cifar10: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty test images, ten of them twice."""
    folder = tmp_path_factory.mktemp("pool")
    images = cifar10[1].pixels(np.arange(500, 560))
    for row, image in enumerate([*images, *images[:10]]):
        (folder / f"{row % 3}").mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{row % 3}" / f"{row:03d}.png")
    return folder


@pytest.mark.slow
def test_tasks_hold_the_most_useful_pictures(trained_run: Run, pool: Path, tmp_path: Path) -> None:
    chosen = label_next(trained_run.path, pool, tmp_path / "tasks", count=20)
    tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["file"] for task in tasks] == chosen["file"].to_list()
    for task in tasks:
        copy = tmp_path / "tasks" / task["data"]["image"].partition("?d=")[2]
        assert copy.read_bytes() == (pool / task["data"]["file"]).read_bytes()
        (result,) = task["predictions"][0]["result"]
        assert result["value"]["choices"][0] in trained_run.read_json("model.json")["classes"]
    names = {
        node.get("name") for node in ElementTree.parse(tmp_path / "tasks" / "labeling_config.xml").iter()
    }
    assert {result["from_name"], result["to_name"]} <= names
    numbers = {int(Path(file).stem) % 60 for file in chosen["file"]}
    assert len(numbers) == 20  # of two copies only one is worth a label
    every = label_next(trained_run.path, pool, tmp_path / "all", count=1000)
    assert len(every) == 70
    assert chosen["expected_error"].mean() > every["expected_error"].mean()
    with pytest.raises(UsageError, match="an empty folder"):
        label_next(trained_run.path, pool, tmp_path / "tasks")


@pytest.mark.slow
def test_the_command_writes_the_list(trained_run: Run, pool: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app,
        [
            "label-next",
            str(trained_run.path),
            str(pool),
            "--count",
            "3",
            "--out",
            str(tmp_path / "out"),
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)) == 3
    assert len(pl.read_csv(tmp_path / "out" / "label_next.csv")) == 3


def test_a_file_name_is_no_formula_in_the_list(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "=1+1.png").write_bytes(b"picture")
    row = {
        "file": "=1+1.png",
        "predicted": "ant",
        "confidence": 0.5,
        "expected_error": 0.5,
        "unfamiliarity": 0.1,
    }
    write_tasks(tmp_path / "out", tmp_path / "pool", pl.DataFrame([row]), [0], ("ant", "bee"))
    assert pl.read_csv(tmp_path / "out" / "label_next.csv")["file"].to_list() == ["'=1+1.png"]
    assert json.loads((tmp_path / "out" / "tasks.json").read_text())[0]["data"]["file"] == "=1+1.png"
