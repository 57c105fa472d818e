"""What a wrong request gets: a sentence on stderr, the right exit status, nothing half-written."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from PIL import Image

from deepsight.cli.main import main
from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Deepsight = Callable[..., Done]


@pytest.fixture
def deepsight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Deepsight:
    """Runs the command line in this process and an empty folder; the data cache is the user's."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["deepsight", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return call


def small_arrays(path: Path, *, k: int = 2, n: int = 60) -> Path:
    """A data set of its own: noise in two brightnesses."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % k
    images = rng.integers(0, 120, (n, 32, 32, 3)) + 100 * labels[:, None, None, None]
    np.savez(path, images=images.astype(np.uint8), labels=labels)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--data", "cifar11"), 2, "cifar10"),
        (("--backbone", "resnet81"), 2, "resnet"),
        (("--minutes", "0"), 2, "--minutes"),
        (("--resolution", "7"), 2, "--resolution"),
        (("--resolution", "70"), 2, "Expected --resolution to be a multiple of 32, received 70"),
        (("--weights", "absent.safetensors"), 1, "absent.safetensors"),
        (("--config", "absent.yaml"), 2, "absent.yaml"),
        (("--backbone", "resnet18", "--offline"), 1, "--weights"),
    ],
)
def test_a_wrong_request_gets_a_sentence(
    deepsight: Deepsight, tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = deepsight("run", "--out", "out", *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_a_wrong_option_names_itself(deepsight: Deepsight) -> None:
    done = deepsight("run", "--minuts", "5")
    assert done.returncode == 2
    assert "--minutes" in done.stderr


def test_an_out_that_is_a_file_is_refused(deepsight: Deepsight, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = deepsight("run", "--out", "out")
    assert done.returncode == 1
    assert "out" in done.stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_an_out_with_other_files_is_refused(deepsight: Deepsight, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    done = deepsight("run", "--out", "out")
    assert done.returncode == 1
    assert "another --out" in done.stderr
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_run_of_another_study_is_refused(deepsight: Deepsight, tmp_path: Path) -> None:
    small_arrays(tmp_path / "a.npz")
    assert deepsight("obtain", "--data", "arrays:a.npz", "--out", "out").returncode == 0
    done = deepsight("run", "--data", "cifar10", "--out", "out")
    assert done.returncode == 1
    assert "arrays:a.npz" in done.stderr


@pytest.mark.parametrize("data", ["folder:nowhere", "arrays:no.npz", "table:no.csv", "foldr:x"])
@pytest.mark.parametrize("command", [("run",), ("examine", "--model", "timm:resnet18")])
def test_data_that_are_not_there_are_refused_before_a_run_is_made(
    deepsight: Deepsight, tmp_path: Path, command: tuple[str, ...], data: str
) -> None:
    done = deepsight(*command, "--data", data, "--out", "out")
    assert done.returncode == 2
    assert data.split(":")[1] in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_stage_of_no_run_says_how_to_make_one(deepsight: Deepsight) -> None:
    done = deepsight("train", "nowhere")
    assert done.returncode == 1
    assert "deepsight run --out nowhere" in done.stderr


@pytest.mark.slow
def test_an_interrupted_run_is_taken_up_again(
    deepsight: Deepsight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped once its splits are there, the same command goes on to the end and keeps those splits."""
    small_arrays(tmp_path / "own.npz", n=120)
    plan = StudyPlan(
        backbone="tf_efficientnet_lite0", train_rows=60, recipe=Recipe(resolution=32, epochs=3, views=1),
        degradation_images=50, context_objects=50, faithfulness_images=5,
    )  # fmt: skip
    study = StudyConfig(data="arrays:own.npz", mva=0, offline=True, plan=plan).stored()
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    command = ["run", "--config", "study.yaml", "--out", "out"]
    environment = {**os.environ, "DEEPSIGHT_CACHE": str(tmp_path / "cache")}
    started = subprocess.Popen(
        [sys.executable, "-m", "deepsight", *command],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    splits = tmp_path / "out" / "splits.npz"
    while not splits.exists() and started.poll() is None:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate()
    assert started.returncode == 130, said
    assert "run the same command again" in said
    before = splits.read_bytes()
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    done = deepsight(*command)
    assert done.returncode == 0, done.stderr
    assert splits.read_bytes() == before
    assert (tmp_path / "out" / "report.html").exists()
    assert not list((tmp_path / "out").rglob("*.part"))


def test_alone_it_explains_itself_in_ten_lines(deepsight: Deepsight) -> None:
    done = deepsight()
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) <= 10
    for command in ("run", "examine", "treat", "view", "--help", "--install-completion"):
        assert f"{command}" in done.stdout


COMMANDS = (
    "run", "obtain", "scrub", "explore", "train", "interpret", "report", "treat", "examine", "compare",
    "predict", "export", "view",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_s_help_has_an_example(deepsight: Deepsight, command: str) -> None:
    done = deepsight(command, "--help")
    assert done.returncode == 0
    examples = done.stdout.split("Example", 1)[1].splitlines()
    example = next(line for line in examples if f"deepsight {command} " in line)
    assert example.startswith("     deepsight"), "examples are indented below their heading"


def test_help_keeps_brackets_and_wraps_its_paragraphs(deepsight: Deepsight) -> None:
    said = deepsight("check", "--help").stdout
    assert "group_accuracy[site=B]" in said
    assert "min, max, mean or a name in brackets, recall," in " ".join(said.split())


def test_all_commands_are_known_and_a_near_name_is_offered(deepsight: Deepsight) -> None:
    helped = deepsight("--help").stdout
    assert [name for name in COMMANDS if f" {name} " not in helped] == []
    done = deepsight("exprot", "runs/first")
    assert done.returncode == 2
    assert "export" in done.stderr


def test_predict_and_export_print_json_or_sentences(
    deepsight: Deepsight, trained_run: Run, tmp_path: Path
) -> None:
    Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(tmp_path / "grey photo.png")  # unlike CIFAR-10
    said = deepsight("predict", str(trained_run.path), "grey photo.png", "--maps", "maps", "--json")
    (row,) = json.loads(said.stdout)
    assert row["file"] == "grey photo.png"
    assert sum(row["classes"].values()) == pytest.approx(1)
    assert len(row["nearest"]) == 5
    plain = deepsight("predict", str(trained_run.path), "grey photo.png", "--maps", "maps").stdout
    assert "grey photo.png: unlike the training images (unfamiliarity 1.00)" in plain
    assert f"resembles most is {row['label']}" in plain
    assert "nearest in training: " in plain
    done = deepsight("export", str(trained_run.path), "--format", "torchscript", "--out", "m.pt", "--json")
    assert json.loads(done.stdout)["output"]["shape"] == ["n", 10]
    assert (tmp_path / "m.pt").stat().st_size > 1e6
    assert deepsight("export", str(trained_run.path), "--format", "torchscrpt").returncode == 2
