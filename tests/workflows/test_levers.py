"""The levers of a small study: every kind of lever is tried, and the stage resumes."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.run import Run
from deepsight.interpret.levers.sizes import LeverSizes
from deepsight.interpret.levers.tools import Retraining
from deepsight.model.training.fit import fabric_of
from deepsight.workflows.levers import StoredTrainings, examine_run_levers
from deepsight.workflows.stages import inputs_of_run
from deepsight.workflows.study import plan_missing_levers, run_until, under_way
from small_study import trained_study

SIZES = {
    "images": 60, "views": 1, "retrainings": 2, "retraining_rows": 128, "part_percent": 50, "parts": 1,
    "label_trainings": 1, "changes": 1, "objects": 12, "repair_images": 10, "equal_time": 1,
    "unused_trainings": 1, "swap_rows": 80, "swap_trainings": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(cifar10: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        run = trained_study(tmp_path_factory.mktemp("study"), *cifar10, lever_sizes=SIZES)
        run_until("levers", run.path, log=lambda _: None)
    return run


@pytest.mark.slow
@pytest.mark.study
def test_every_kind_of_lever_is_tried(run: Run) -> None:
    evidence = run.evidence()
    assert set(evidence["levers"].frame["group"]) == {
        "variance", "data", "recipe", "fragility", "labels", "background", "quality", "decision", "placebo",
    }  # fmt: skip
    assert {"lever_errors", "lever_data", "influence"} <= set(evidence)
    placebo = evidence["levers"].frame.filter(group="placebo")
    assert (placebo["ci_low"] <= 0).all()  # of 60 images, one that changes is more than a share of 1 %
    assert (placebo["ci_high"] >= 0).all()


@pytest.mark.slow
@pytest.mark.study
def test_the_ledger_keeps_every_error_and_its_shares_sum_to_one(run: Run) -> None:
    evidence, said = run.evidence(), run.predictions("test")
    wrong = said.ids[said.labels != said.predicted]
    assert sorted(evidence["ledger"].frame["index"]) == sorted(wrong)
    assert evidence["ledger_shares"].frame["share"].sum() == pytest.approx(1)
    assert "confusable pair" not in evidence["ledger"].frame["cause"].to_list()


@pytest.mark.slow
@pytest.mark.study
def test_an_interrupted_stage_uses_the_trainings_that_are_there(run: Run) -> None:
    stored = sorted((run.path / "levers").glob("*.npz"))
    before = {path: path.stat().st_mtime_ns for path in stored}
    table, ledger = (run.evidence()[name].frame for name in ("levers", "ledger"))
    context = run_until("levers", run.path, log=lambda _: None)
    examine_run_levers(context, inputs_of_run)
    assert {path: path.stat().st_mtime_ns for path in stored} == before
    assert context.run.evidence()["levers"].frame.drop("seconds").equals(table.drop("seconds"))
    assert context.run.evidence()["ledger"].frame.equals(ledger)


def test_a_training_is_made_once_and_another_one_anew(tmp_path: Path) -> None:
    made = []

    def train(wanted: Retraining) -> np.ndarray:
        made.append(wanted.seed)
        return np.full((2, 3), wanted.seed, dtype=np.float32)

    store = StoredTrainings(tmp_path, "these images")
    one, other = (Retraining(np.arange(4), seed) for seed in (1, 2))
    for wanted in (one, one, other):
        assert (store(wanted, train) == wanted.seed).all()
    assert made == [1, 2]
    assert StoredTrainings(tmp_path, "others").name_of(one) != store.name_of(one)


def test_a_run_made_without_levers_gets_them_when_they_are_asked_for(
    trained_run: Run, tmp_path: Path
) -> None:
    copy = Run(shutil.copytree(trained_run.path, tmp_path / "run"))
    context = under_way(copy, lambda _: None, fabric_of())
    assert not context.plan.lever_sizes
    plan_missing_levers(context)
    assert LeverSizes(**context.plan.lever_sizes) == LeverSizes()
    assert "levers" not in (copy.manifests() or pytest.fail("no manifests")).by_stage


def test_a_stop_before_the_levers_are_planned_leaves_them_to_be_tried(
    trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Run(shutil.copytree(trained_run.path, tmp_path / "run"))

    def stopped(self: Run, study: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_study", stopped)
        context = under_way(copy, lambda _: None, fabric_of())
        with pytest.raises(KeyboardInterrupt):
            plan_missing_levers(context)
    again = under_way(copy, lambda _: None, fabric_of())
    plan_missing_levers(again)
    assert LeverSizes(**again.plan.lever_sizes) == LeverSizes()
    assert "levers" not in (copy.manifests() or pytest.fail("no manifests")).by_stage


def test_a_file_of_another_training_under_this_name_is_not_used(tmp_path: Path) -> None:
    store, other = StoredTrainings(tmp_path, "ours"), StoredTrainings(tmp_path, "theirs")
    wanted = Retraining(np.arange(4), 1)
    other(wanted, lambda _: np.zeros((2, 3), dtype=np.float32))
    (tmp_path / f"{other.name_of(wanted)}.npz").replace(tmp_path / f"{store.name_of(wanted)}.npz")
    assert (store(wanted, lambda _: np.ones((2, 3), dtype=np.float32)) == 1).all()
