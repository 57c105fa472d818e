"""A model that somebody else made: examined from its answers, with a planted confusion to be found."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from colour_task import ColourNet, coloured_discs
from deepsight.cli.main import main
from deepsight.config import StudyConfig
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.predictions import Predictions
from deepsight.core.run import Run
from deepsight.workflows.examine.examine import examine
from deepsight.workflows.examine.examine_model import examine_model
from deepsight.workflows.examine.examined_passes import pass_folder


def with_planted_confusion(labels: np.ndarray, *, k: int, seed: int = 0) -> np.ndarray:
    """Logits of a model that guesses one in five, and takes a third of class 3 for class 5."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(len(labels)) < 0.2, rng.integers(0, k, len(labels)), labels)
    cats = np.flatnonzero(labels == 3)
    said[rng.permutation(cats)[: len(cats) // 3]] = 5
    logits = rng.normal(0, 0.3, (len(labels), k))
    logits[np.arange(len(labels)), said] += 4
    return logits.astype(np.float32)


@pytest.fixture(scope="module")
def few(cifar10: tuple[Dataset, Dataset]) -> Dataset:
    """Six hundred real test images."""
    return cifar10[1].select(np.arange(600))


def test_the_planted_confusion_is_the_one_flagged(few: Dataset) -> None:
    features = np.random.default_rng(1).normal(size=(len(few), 16)).astype(np.float32)
    answers = Predictions(few.ids, few.labels, with_planted_confusion(few.labels, k=10), features)
    found = examine(answers, few).evidence
    flagged = found["confusion_pairs"].frame.filter(pl.col("flagged"))
    assert flagged.select("true", "predicted").rows() == [("cat", "dog")]
    assert len(found["ledger"].frame) == int((answers.labels != answers.predicted).sum())


@pytest.mark.slow
def test_examine_opens_a_model_and_writes_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = coloured_discs(90, wrong=12)
    train = coloured_discs(60, seed=1)
    np.savez(tmp_path / "own.npz", images=train.pixels(), labels=train.labels, test_images=data.pixels(),
             test_labels=data.labels)  # fmt: skip
    torch.jit.save(torch.jit.trace(ColourNet(), torch.zeros(2, 3, 32, 32)), tmp_path / "theirs.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    command = "deepsight examine --data arrays:own.npz --model torchscript:theirs.pt --minutes 1 --out out"
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    run = Run.open(tmp_path / "out")
    tables = run.evidence()
    assert run.metrics()["accuracy"] == pytest.approx(78 / 90)
    assert run.read_json("model.json")["architecture"] == "torchscript:theirs.pt"
    # What a busy machine has no time for is said; what is not said was made.
    reasons = set(tables["not_examined"].frame["check"])
    assert {"preprocessing_audit", "class_order_audit", "duplicates"} <= set(tables)
    assert all(table in tables or table in reasons for table in ("degradation", "context"))
    assert "attribution_methods" in tables or reasons & {"maps", "attribution_methods"}
    if "lever_errors" in tables:
        assert "causes" in tables["ledger"].frame.columns
    assert run.has("report.html")
    images = run.images()
    assert images is not None
    assert images["digest"].null_count() == 0
    assert (run.path / "splits.csv").exists()
    assert run.read_json("data.json")["examined"]["n"] == 90
    assert run.examined_split == "test"
    known = run.manifests()
    assert known is not None
    assert "examine" in known.by_stage
    with pytest.raises(DeepSightError, match="never replaced"):
        examine_model(StudyConfig(data="arrays:own.npz"), "torchscript:theirs.pt", tmp_path / "out")


def test_what_is_no_model_is_refused() -> None:
    data = coloured_discs(30)
    for wrong in (ColourNet, ColourNet().state_dict(), 3):
        with pytest.raises(UsageError, match="Expected a model"):
            examine(wrong, data)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--weights"):
        examine("model.pt", data)


def test_blocks_of_a_stopped_pass_are_kept_only_for_a_model_that_a_file_proves(tmp_path: Path) -> None:
    model = tmp_path / "theirs.onnx"
    model.write_bytes(b"one")
    record = {"data": "folder:photos", "image_shape": [8, 8, 3]}
    first = pass_folder(f"onnx:{model}", None, None, record, "test")
    assert first == pass_folder(f"onnx:{model}", None, None, record, "test")
    model.write_bytes(b"another")
    assert first not in (None, pass_folder(f"onnx:{model}", None, None, record, "test"))
    assert pass_folder("python:theirs:build", None, None, record, "test") is None


def test_a_run_takes_no_options_of_other_models(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the run has its own"):
        examine_model(StudyConfig(), "run:absent", tmp_path / "out", classes=["a", "b"])
