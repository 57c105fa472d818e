"""What a refused command leaves behind: nothing of its own, and all that was there."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.config import StudyConfig
from deepsight.core.errors import DeepSightError, TransientError, UsageError
from deepsight.core.run import Run
from deepsight.workflows.examine.examine_predictions import examine_predictions
from deepsight.workflows.refused_run import removed_if_refused
from deepsight.workflows.study import run_study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyConfig:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    images = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3)).astype(np.uint8)
    np.savez(tmp_path / "rows.npz", images=images, labels=np.arange(24) % 2)
    return StudyConfig(data=f"arrays:{tmp_path / 'rows.npz'}", minutes=0.1)


def silent(_: object) -> None:
    """Says nothing."""


def test_a_mistyped_option_leaves_no_run_that_refuses_the_right_one(
    study: StudyConfig, tmp_path: Path
) -> None:
    wrong = study.model_copy(update={"backbone": "resnet1888"})
    with pytest.raises(UsageError, match="did you mean 'resnet18'"):
        run_study(wrong, tmp_path / "run", log=silent)
    assert not (tmp_path / "run").exists()


def test_predictions_that_are_refused_leave_nothing(study: StudyConfig, tmp_path: Path) -> None:
    np.savez(tmp_path / "percent.npz", probs=np.tile([60.0, 40.0], (24, 1)))
    for file in ("percent.npz", "absent.csv"):
        with pytest.raises(UsageError):
            examine_predictions(study, tmp_path / file, tmp_path / "run", split="all", log=silent)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [DeepSightError, TransientError, KeyboardInterrupt])
def test_only_a_refusal_of_what_was_begun_here_removes(tmp_path: Path, error: type[BaseException]) -> None:
    def refused(folder: Path) -> None:
        with removed_if_refused(folder, until="whole.txt"):
            folder.mkdir(exist_ok=True)
            (folder / "begun.txt").write_text("x")
            raise error

    def made(name: str) -> Path:
        with pytest.raises(error):
            refused(tmp_path / name)
        return tmp_path / name

    (tmp_path / "before").mkdir()
    (tmp_path / "before/whole.txt").write_text("x")
    assert made("new").exists() == (error is not DeepSightError)
    assert (made("before") / "begun.txt").exists()


def test_an_audit_is_no_run_to_compare_with(study: StudyConfig, tmp_path: Path) -> None:
    """Said before the work, and without the advice to train an audit."""
    audit = Run.create(tmp_path / "audit", {"audited": study.data})
    asked = ["run", "--data", study.data, "--compare-with", str(audit.path), "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, asked)
    assert "holds the audit of a data set. Use the folder of a deepsight run" in str(done.exception)
    assert not (tmp_path / "run").exists()
