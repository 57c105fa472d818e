"""Predictions in a file become a run folder: the right rows, their files, never over another kind of run."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy.stats import binomtest

from deepsight.cli.main import main
from deepsight.config import StudyConfig
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.run import Run
from deepsight.obtain import load_dataset
from deepsight.obtain.predictions.read import read_predictions
from deepsight.workflows.compare.two_runs import compare as compare_runs
from deepsight.workflows.examine.examine import examine
from deepsight.workflows.examine.examine_predictions import examine_predictions
from deepsight.workflows.stages import obtain_stage
from deepsight.workflows.study import begin, run_until

CLASSES = ("cat", "dog")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


def noise(rng: np.random.Generator, side: int) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))


def photos(root: Path, n: int = 30, seed: int = 0) -> Path:
    """Two classes of noise, n pictures each, without a test part."""
    rng = np.random.default_rng(seed)
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for i in range(n):
            Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(
                root / name / f"{i:02d}.png"
            )
    return root


def predictions(path: Path, n: int = 30, wrong: int = 5) -> Path:
    """Predictions of all pictures in order, with features, of which the first of each class are wrong."""
    labels = np.repeat([0, 1], n)
    top = np.where(np.arange(2 * n) % n < wrong, 1 - labels, labels)
    features = np.random.default_rng(0).normal(size=(2 * n, 8)) + 3 * np.eye(2)[labels].repeat(4, axis=1)
    np.savez(path, probs=np.eye(2)[top] * 0.8 + 0.1, features=features)
    return path


def study(root: Path) -> StudyConfig:
    return StudyConfig(data=f"folder:{root}", mva=0.0)


def examined(tmp_path: Path, name: str = "out", split: str = "all") -> Run:
    file = predictions(tmp_path / "p.npz")
    examine_predictions(study(tmp_path / "data"), file, tmp_path / name, split=split, log=lambda _: None)
    return Run.open(tmp_path / name)


@pytest.mark.slow
def test_every_finding_names_the_file(tmp_path: Path) -> None:
    photos(tmp_path / "data")
    run = examined(tmp_path)
    errors = run.evidence()["errors"]
    wrong = {f"{name}/{i:02d}.png" for name in CLASSES for i in range(5)}
    assert set(errors.frame["file"]) == wrong
    assert errors.units["file"] == "file of the image"
    for name in ("label_errors", "ambiguity", "ledger"):
        frame = run.evidence()[name].frame
        assert not frame.height or frame["file"].null_count() == 0, name


@pytest.mark.slow
def test_splits_csv_says_what_is_held_out(tmp_path: Path) -> None:
    photos(tmp_path / "data")
    run = examined(tmp_path, split="test")
    rows = pl.read_csv(run.file("splits.csv"))
    assert rows["split"].value_counts(sort=True).rows() == [("train", 48), ("test", 12)]
    held_out = rows.filter(split="test")
    assert held_out["index"].to_list() == run.predictions("test").ids.tolist()
    assert set(held_out["class"]) == set(CLASSES)


@pytest.mark.slow
def test_a_file_that_names_its_rows_gives_the_same_findings_in_any_order(tmp_path: Path) -> None:
    root = photos(tmp_path / "data")
    run = examined(tmp_path)
    with np.load(tmp_path / "p.npz") as given:
        order = np.random.default_rng(1).permutation(60)
        files = np.array([f"{name}/{i:02d}.png" for name in CLASSES for i in range(30)])
        np.savez(tmp_path / "q.npz", files=files[order], **{name: given[name][order] for name in given.files})
    examine_predictions(
        study(root), tmp_path / "q.npz", tmp_path / "shuffled", split="all", log=lambda _: None
    )
    shuffled = Run.open(tmp_path / "shuffled")
    assert shuffled.evidence()["errors"].frame.equals(run.evidence()["errors"].frame)
    assert shuffled.metrics()["macro_f1"] == run.metrics()["macro_f1"]


@pytest.mark.slow
def test_no_kind_of_run_is_written_over_another(tmp_path: Path) -> None:
    root = photos(tmp_path / "data")
    obtain_stage(begin(study(root), tmp_path / "study", lambda _: None))
    before = (tmp_path / "study/study.yaml").read_bytes(), (tmp_path / "study/data.json").read_bytes()
    with pytest.raises(DeepSightError, match="it holds a study, which would be overwritten"):
        examined(tmp_path, "study")
    assert before == (
        (tmp_path / "study/study.yaml").read_bytes(), (tmp_path / "study/data.json").read_bytes(),
    )  # fmt: skip
    run = examined(tmp_path)
    with pytest.raises(DeepSightError, match="it holds the examination of an external model"):
        begin(study(root), run.path, lambda _: None)
    with pytest.raises(DeepSightError, match=r"Expected a study in .* for interpret"):
        run_until("interpret", run.path, log=lambda _: None)
    run.file("report.html").unlink()
    run_until("report", run.path, log=lambda _: None)
    assert run.has("report.html")
    examined(tmp_path)  # the same once more


@pytest.mark.slow
def test_data_that_changed_is_refused_with_what_changed(tmp_path: Path) -> None:
    root = photos(tmp_path / "data")
    obtain_stage(begin(study(root), tmp_path / "run", lambda _: None))
    obtain_stage(begin(study(root), tmp_path / "run", lambda _: None))
    (root / "cat/00_more.png").write_bytes((root / "cat/07.png").read_bytes())
    (root / "dog/03.png").write_bytes((root / "dog/04.png").read_bytes())
    (root / "dog/05.png").unlink()
    with pytest.raises(DeepSightError, match="The data changed since the run in") as refused:
        obtain_stage(begin(study(root), tmp_path / "run", lambda _: None))
    said = str(refused.value)
    assert "cat/00_more.png" in said
    assert "dog/03.png" in said
    assert "dog/05.png" in said


@pytest.mark.slow
def test_compare_refuses_other_images(tmp_path: Path) -> None:
    photos(tmp_path / "data")
    first, second = examined(tmp_path, "a"), examined(tmp_path, "b")
    found = compare_runs(first.path, second.path)
    assert "comparison" in found
    (tmp_path / "other").mkdir()
    photos(tmp_path / "other/data", seed=1)
    other = examined(tmp_path / "other")
    with pytest.raises(DeepSightError, match="their digest of the images differ"):
        compare_runs(first.path, other.path)
    part = examined(tmp_path, "part", split="test")
    with pytest.raises(DeepSightError, match="their split differ: all in"):
        compare_runs(first.path, part.path)


@pytest.mark.slow
def test_compare_names_the_files_that_changed(tmp_path: Path) -> None:
    root = photos(tmp_path / "data")
    first = examined(tmp_path, split="test")
    examine_predictions(
        study(root), predictions(tmp_path / "q.npz", wrong=0), tmp_path / "b", log=lambda _: None
    )
    changed = compare_runs(first.path, tmp_path / "b")["comparison_changed"].frame
    assert changed["file"].to_list() == list(first.evidence()["errors"].frame.sort("index")["file"])


@pytest.mark.slow
def test_groups_widen_the_interval_and_say_what_the_images_are_worth(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, probs = [], []
    for patient in range(12):
        right = 0.95 if patient % 4 else 0.2  # a patient is nearly always right or nearly always wrong
        for i in range(10):
            noise(rng, 8).save(tmp_path / f"{patient}-{i}.png")
            label = i % 2
            rows.append({"path": f"{patient}-{i}.png", "label": CLASSES[label], "patient": patient})
            probs.append(np.eye(2)[label if rng.random() < right else 1 - label] * 0.8 + 0.1)
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    np.savez(tmp_path / "p.npz", probs=probs, features=rng.normal(size=(120, 8)))
    metrics = {}
    for name in ("?group=patient", ""):
        config = StudyConfig(data=f"table:{tmp_path / 't.csv'}{name}", mva=0.0)
        out = tmp_path / f"out{len(name)}"
        metrics[name] = examine_predictions(config, tmp_path / "p.npz", out, split="all", log=lambda _: None)
    grouped, alone = metrics["?group=patient"], metrics[""]
    assert grouped["macro_f1"] == pytest.approx(alone["macro_f1"])
    assert grouped["n_groups"] == 12
    assert grouped["effective_n"] < 60
    width = {name: np.ptp(found["macro_f1_ci95"]) for name, found in metrics.items()}
    assert width["?group=patient"] > 1.5 * width[""]


@pytest.mark.slow
def test_the_command_writes_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = photos(tmp_path / "data")
    predictions(tmp_path / "p.npz")
    monkeypatch.chdir(tmp_path)
    command = f"examine --data folder:{root} --predictions p.npz --split all --out o"
    assert not status(monkeypatch, *command.split())
    run = Run.open(tmp_path / "o")
    assert run.metrics()["accuracy"] == pytest.approx(50 / 60)
    wilson = binomtest(50, 60).proportion_ci(method="wilson")
    assert run.metrics()["accuracy_ci95"] == pytest.approx(list(wilson))
    assert run.has("report.html")


@pytest.mark.slow
def test_a_run_folder_inside_the_images_is_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = photos(tmp_path / "data")
    monkeypatch.chdir(root)
    for out in (Path("runs/first"), Path("out"), Path("cat/out")):
        obtain_stage(begin(StudyConfig(data="folder:."), out, lambda _: None))
        assert Run.open(out).read_json("data.json")["classes"] == list(CLASSES)


def test_a_split_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--split"):
        examine_predictions(StudyConfig(), tmp_path / "x.npz", tmp_path / "o", split="validation", log=print)


def test_fewer_than_five_images_are_refused() -> None:
    labels = np.array([0, 1, 0], dtype=np.int64)
    data = Dataset(np.zeros((3, 8, 8, 3), np.uint8), labels, ("a", "b"), np.arange(3), "test")
    answers = Predictions(data.ids, labels, np.eye(2, dtype=np.float32)[labels], np.ones((3, 4), np.float32))
    with pytest.raises(DeepSightError, match="at least 5 images to examine, received 3"):
        examine(answers, data)


@pytest.mark.slow
def test_the_api_names_the_files_too(tmp_path: Path) -> None:
    data = load_dataset(f"folder:{photos(tmp_path / 'data')}").split("all")
    read = read_predictions(predictions(tmp_path / "p.npz"), data, log=lambda _: None).predictions
    found = examine(read, data).evidence["errors"].frame
    assert set(found["file"]) == {f"{name}/{i:02d}.png" for name in CLASSES for i in range(5)}


def status(monkeypatch: pytest.MonkeyPatch, *command: str) -> int:
    monkeypatch.setattr(sys, "argv", ["deepsight", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.slow
def test_the_minutes_that_are_given_are_those_of_the_examination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, file = photos(tmp_path / "data"), predictions(tmp_path / "p.npz")
    asked = ["examine", "--data", f"folder:{root}", "--predictions", str(file), "--split", "all"]
    assert not status(monkeypatch, *asked, "--out", str(tmp_path / "out"), "--minutes", "0.5")
    assert Run.open(tmp_path / "out").study()["minutes"] == 0.5


@pytest.mark.parametrize(
    "option", [("--weights", "a.pth"), ("--classes", "a,b"), ("--preprocess", "a.yaml"), ("--engine", "ray")]
)
def test_options_of_a_model_are_refused_beside_predictions(
    option: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(monkeypatch, "examine", "--predictions", "p.npz", *option) == 2
    assert f"Expected no {option[0]} beside --predictions" in capsys.readouterr().err
