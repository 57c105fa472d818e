"""The two stories of docs/pipelines.md, told by the commands that a person types, at the smallest size."""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.decisions import Decision, write_decisions
from deepsight.core.files.safe_yaml import yaml_text
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.interpret import examine as examination
from deepsight.interpret.findings import Findings
from small_sets import class_sizes, pictures, write_arrays

pytestmark = [pytest.mark.slow, pytest.mark.study]  # three whole studies
SIDE, WRONG, COPIES = 16, 60, 4
PLAN = StudyPlan(
    backbone="tf_efficientnet_lite0", train_rows=180,
    recipe=Recipe(resolution=32, epochs=1, views=1, batch=16), degradation_images=5, context_objects=5,
    faithfulness_images=1,
)  # fmt: skip


def deepsight(*words: object) -> tuple[int, str]:
    """The exit status of a command and what it printed."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def copied(images: np.ndarray, test: np.ndarray, count: int) -> np.ndarray:
    """The images, of which the last ones repeat test images with less contrast."""
    images = images.copy()
    images[-count:] = (test[:count] * 0.8 + 20).astype(np.uint8)
    return images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where everything lies, the cache too. Maps and backgrounds are left out: they take most of the time."""
    made = tmp_path_factory.mktemp("stories")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSIGHT_CACHE", str(made / "cache"))
        patch.setattr(examination, "look_inside", lambda *_: Findings())
        yield made


@pytest.fixture(scope="module")
def truth(folder: Path) -> np.ndarray:
    """The true training labels; the data set has 60 of them wrong, and 4 near-duplicates of test images."""
    images, true = pictures(class_sizes(3, 210), SIDE)
    test_images, test_labels = pictures(class_sizes(3, 60), SIDE, seed=9)
    given = true.copy()
    given[np.flatnonzero(true == 1)[:WRONG]] = 0
    for name, count in (("main", COPIES), ("branch", 2 * COPIES)):
        train = copied(images, test_images, count), given
        write_arrays(folder / f"{name}.npz", train=train, test=(test_images, test_labels))
    stored = StudyConfig(mva=0, offline=True, plan=PLAN).stored()
    (folder / "study.yaml").write_text(yaml_text(stored), encoding="utf-8")
    return true


@pytest.fixture(scope="module")
def first(folder: Path, truth: np.ndarray) -> Path:
    """The study of the data as it is."""
    run = folder / "runs/first"
    status, said = deepsight(
        "run", "--config", folder / "study.yaml", "--data", f"arrays:{folder / 'main.npz'}", "--out", run
    )
    assert status == 0, said
    return run


def test_we_cleaned_60_labels_and_macro_f1_rose(first: Path, folder: Path, truth: np.ndarray) -> None:
    with np.load(folder / "main.npz") as data:
        given = data["labels"]
    wrong = np.flatnonzero(given != truth)
    write_decisions(
        folder / "decisions.csv",
        [Decision("", int(i), "train", str(given[i]), "relabel", str(truth[i]), "Ada") for i in wrong],
    )
    status, said = deepsight("apply", first, folder / "decisions.csv", "--to", folder / "clean")
    assert (status, "train: 60 relabelled, 0 removed" in said) == (0, True), said
    run = folder / "runs/cleaned"
    status, said = deepsight(
        "run", "--config", folder / "study.yaml", "--data", f"arrays:{folder / 'clean/cleaned.npz'}",
        "--compare-with", first, "--out", run,
    )  # fmt: skip
    assert status == 0, said
    noted = Run.open(run).metrics()["compared_with"]
    assert (noted["n"], noted["relabelled"]) == (60, 0)
    assert noted["labels_of_this_run"]["ci95"][0] > 0
    caption = Run.open(run).evidence()["compared_with"].caption
    assert caption.startswith("Macro-F1 rose by")
    assert "on the same 60 test images" in caption
    assert caption.split(" from ")[0] in run.joinpath("report.html").read_text(encoding="utf-8")


def test_a_pull_request_that_doubles_the_near_duplicates_is_stopped(
    first: Path, folder: Path, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Run.open(first).metrics()
    share = before["n_leaked"] / before["n_test"]
    assert before["n_leaked"] == COPIES
    gate = f"near_duplicate_share <= {150 * share} %"
    assert deepsight("check", first, "--gate", gate)[0] == 0
    summary, run = folder / "summary.md", folder / "runs/branch"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    status, said = deepsight(
        "run", "--config", folder / "study.yaml", "--data", f"arrays:{folder / 'branch.npz'}",
        "--gate", gate, "--out", run,
    )  # fmt: skip
    assert status == 3
    assert "::error title=Gate%3A near_duplicate_share" in said
    assert "**failed**" in summary.read_text(encoding="utf-8")
    failure = ElementTree.parse(run / "junit.xml").find(".//failure")
    assert failure is not None
    assert "but the gate asks for at most 10 %" in failure.attrib["message"]
    noted = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["gates"]
    assert [one["passed"] for one in noted] == [False]
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "failed</strong> The share of test images with a near-duplicate" in report
    assert "<code>near_duplicate_share" in report
