"""The card is read by the hub's own parser, and says what the tables say."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import made_run
from deepsight.cli.main import app
from deepsight.core.dataset import Dataset
from deepsight.core.run import Run
from deepsight.workflows.publish.model_card import card_text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cifar10: tuple[Dataset, Dataset]) -> Run:
    train, test = cifar10
    rows = np.arange(300)
    return made_run.make(tmp_path_factory.mktemp("runs") / "made", train.select(rows), test.select(rows))


def test_the_hub_reads_its_metadata(run: Run) -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(card_text(run))
    results = {one.metric_type: one.metric_value for one in card.data.eval_results}
    assert results["f1"] == pytest.approx(run.metrics()["macro_f1"], abs=5e-5)
    assert card.data.pipeline_tag == "image-classification"


def test_the_weakest_class_comes_first_and_every_failure_is_named(run: Run) -> None:
    text = card_text(run)
    recall = run.evidence()["recall"].frame.sort("recall")
    rows = [line for line in text.splitlines() if line.startswith(f"| {recall['class'][0]} |")]
    assert f"{recall['recall'][0]:.3f}" in rows[0]
    assert text.index(f"| {recall['class'][0]} |") < text.index(f"| {recall['class'][-1]} |")
    shares = run.evidence()["ledger_shares"].frame
    for cause in shares.filter(shares["share"] > 0)["cause"]:
        assert f"of the errors: {cause}" in text
    for slice_found in run.evidence()["slices"].frame.filter("confirmed")["description"]:
        assert slice_found in text


def test_a_run_without_findings_still_has_a_card(tmp_path: Path) -> None:
    run = made_run.bare(tmp_path / "bare")
    headline = {"macro_f1": 0.5, "macro_f1_ci95": [0.4, 0.6], "accuracy": 0.5, "n_test": 100}
    run.save_json("metrics.json", {**headline, "mva": 0.65, "mva_passed": False})
    text = card_text(run)
    assert "macro-F1 of at least 0.65: failed" in text
    assert "By class" not in text


def test_the_command_writes_it(run: Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["card", str(run.path), "--out", str(tmp_path / "card.md")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "card.md").read_text("utf-8").startswith("---\nlibrary_name: timm")


def test_only_a_trained_model_is_said_to_be_trained_on_the_data(tmp_path: Path) -> None:
    run = made_run.bare(tmp_path / "bare")
    headline = {"macro_f1": 0.5, "macro_f1_ci95": [0.4, 0.6], "accuracy": 0.5, "n_test": 100}
    run.save_json("metrics.json", {**headline, "mva": 0.65, "mva_passed": False})
    assert "trained and tested on" in card_text(run)
    run.save_study({**run.study(), "examined": {"predictions": "theirs.npz"}})
    assert "It was tested on" in card_text(run)
