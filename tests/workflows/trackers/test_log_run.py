"""What trackers were told, read back from their own stores by their own readers."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import made_run
from deepsight.cli.main import app
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.run import Run
from deepsight.workflows.gates.conditions import check_gates
from deepsight.workflows.trackers import log_run as trackers
from deepsight.workflows.trackers.content import tracked_run
from deepsight.workflows.trackers.log_run import log_run

GATES = ["min recall >= 0.99", "accuracy >= 10 %"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cifar10: tuple[Dataset, Dataset]) -> Run:
    """A finished run with a gate that failed and one that passed."""
    train, test = (part.select(np.arange(200)) for part in cifar10)
    made = made_run.make(tmp_path_factory.mktemp("tracked") / "made", train, test)
    check_gates(made.path, GATES)
    return made


def test_settings_scores_epochs_and_gates_are_told_apart(run: Run) -> None:
    told = tracked_run(run.path)
    assert told.parameters["plan.recipe.resolution"] == 64
    assert told.metrics["macro_f1_low"] == run.metrics()["macro_f1_ci95"][0]
    assert told.metrics["seconds.finetune"] == 160
    assert "seed" not in told.metrics
    assert [epoch["val_macro_f1"] for epoch in told.epochs] == run.history()["val_macro_f1"].to_list()
    assert told.tags["gate.min recall >= 0.99"] == told.tags["gates"] == "failed"
    assert told.tags["gate.accuracy >= 10 %"] == "passed"


def test_mlflow_keeps_everything_in_a_file_store(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = (tmp_path / "mlruns").as_uri()
    assert "MLflow run" in log_run(run.path, f"mlflow:{store}")
    client = mlflow.MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("deepsight")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert kept.info.run_name == "made"
    assert kept.info.status == "FINISHED"
    assert kept.data.params["plan.recipe.interpolation"] == "bicubic"
    assert kept.data.metrics["macro_f1"] == pytest.approx(run.metrics()["macro_f1"])
    assert kept.data.tags["gate.min recall at least 0.99"] == "failed"
    assert kept.data.tags["gate.accuracy at least 10 percent"] == "passed"
    steps = client.get_metric_history(kept.info.run_id, "epoch/val_macro_f1")
    assert [(one.step, one.value) for one in steps] == list(
        enumerate(run.history()["val_macro_f1"].to_list(), start=1)
    )
    files = {item.path for item in client.list_artifacts(kept.info.run_id)}
    assert {"metrics.json", "study.yaml", "evidence"} <= files
    tables = {item.path for item in client.list_artifacts(kept.info.run_id, "evidence")}
    assert tables == {f"evidence/{name}.csv" for name in run.evidence()}


def test_tensorboard_reads_the_scalars_back(run: Run, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="the extra tensorboard is not installed",
    )
    assert str(tmp_path) in log_run(run.path, f"tensorboard:{tmp_path}")
    seen = accumulator.EventAccumulator(str(tmp_path / "made"), size_guidance={"tensors": 0}).Reload()
    told = seen.Scalars("epoch/val_macro_f1")
    assert [one.step for one in told] == list(range(1, 8))
    assert [one.value for one in told] == pytest.approx(run.history()["val_macro_f1"].to_list())
    assert seen.Scalars("macro_f1")[0].value == pytest.approx(run.metrics()["macro_f1"])
    texts = {tag.removesuffix("/text_summary") for tag in seen.Tags()["tensors"]}
    assert {"gates", "report", "evidence/recall"} <= texts
    (gates,) = seen.Tensors("gates/text_summary")
    assert b"| min recall >= 0.99 | failed |" in gates.tensor_proto.string_val[0]


def log_records(content: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: LevelDB's log format, in blocks of 32 KiB, after a header of 7 bytes."""
    place, parts = 7, []
    while place < len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        parts.append(content[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield b"".join(parts)
            parts = []


def test_wandb_writes_an_offline_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    said = log_run(run.path, "wandb:forensics")
    folder = Path(said.removeprefix("wandb sync "))
    (file,) = folder.glob("*.wandb")
    records = [Record.FromString(data) for data in log_records(file.read_bytes())]
    (made,) = [record.run for record in records if record.WhichOneof("record_type") == "run"][:1]
    assert made.project == "forensics"
    assert "min recall >= 0.99 failed" in made.tags
    history = [record for record in records if record.WhichOneof("record_type") == "history"]
    assert len(history) == run.history().height
    assert any(record.WhichOneof("record_type") == "artifact" for record in records)


def test_what_cannot_be_used_is_said_before_any_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="did you mean 'mlflow'"):
        log_run(run.path, "mflow")
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(DeepSightError, match="deepsight-forensics\\[wandb\\]"):
        trackers.require_tracker("wandb")
    done = CliRunner().invoke(app, ["run", "--log", "wandb", "--out", str(tmp_path / "run")])
    assert isinstance(done.exception, DeepSightError)
    assert not (tmp_path / "run").exists()


def test_the_command_says_where_it_logged(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    done = CliRunner().invoke(app, ["log", str(run.path), "--to", f"tensorboard:{tmp_path}"])
    assert done.exit_code == 0, done.output
    assert "tensorboard --logdir" in done.output
