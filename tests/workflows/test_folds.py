"""Folds: each image is examined once, by a model that has seen neither it nor a copy of it."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.obtain import load_dataset
from deepsight.workflows.audit.run_audit import audit
from deepsight.workflows.compare.two_runs import compare
from deepsight.workflows.exchange.found_images import examined_images
from deepsight.workflows.folds import copies_of, fold_of_images, planned_folds
from deepsight.workflows.study import run_study
from small_sets import class_sizes, pictures, write_arrays

N, FOLDS = 48, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folds")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """A whole study of 48 images in three folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSIGHT_CACHE", str(folder / "cache"))
        plan = StudyPlan(
            backbone="tf_efficientnet_lite0", train_rows=N, folds=FOLDS,
            recipe=Recipe(resolution=32, epochs=1, views=1, batch=16),
            degradation_images=50, context_objects=50, faithfulness_images=5,
        )  # fmt: skip
        data = write_arrays(folder / "rows.npz", train=pictures(class_sizes(2, N), 32))
        study = StudyConfig(data=data, folds=FOLDS, plan=plan, offline=True)
        run_study(study, folder / "run")
        yield Run.open(folder / "run")


@pytest.mark.slow
def test_every_image_is_predicted_once(run: Run) -> None:
    p = run.predictions("test")
    assert p.ids.tolist() == list(range(N))
    assert len(run.splits()["test"]) == N // FOLDS
    metrics = run.metrics()
    assert (metrics["folds"], metrics["n_test"]) == (FOLDS, N)
    assert run.evidence()["recall"].n == N
    assert run.evidence()["degradation"].n <= N // FOLDS  # what needs the model looks at its own fold
    kept = run.predictions("val").ids
    assert not set(kept) & set(run.splits()["test"])


@pytest.mark.slow
def test_the_report_and_the_record_say_it(run: Run) -> None:
    report = run.file("report.html").read_text(encoding="utf-8")
    assert "by 3 models, none of which saw the images it predicts" in report
    assert "out of fold: 3 models" in report
    examined = json.loads(run.file("data.json").read_text(encoding="utf-8"))["examined"]
    assert (examined["split"], examined["n"], examined["folds"]) == ("all", N, FOLDS)


@pytest.mark.slow
def test_runs_with_folds_are_compared_and_listed_as_others_are(run: Run) -> None:
    assert compare(run.path, run.path)["comparison"].n == N
    errors = run.evidence()["errors"].frame
    found = [image for image in examined_images(run.path).images if image.split == "test"]
    assert {image.id for image in found if image.predicted is not None} >= set(errors["index"])


@pytest.mark.slow
def test_new_images_are_compared_with_the_fold_that_the_kept_model_has_not_seen(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(folder / "cache"))
    audit(str(folder / "rows.npz"), folder / "audit", against=run.path)
    drift = Run.open(folder / "audit").evidence()["feature_drift"].frame.row(0, named=True)
    assert (drift["n_before"], drift["n_now"]) == (N // FOLDS, N)
    assert not drift["drifted"]


def test_folds_deal_out_all_images_and_groups_stay_together(folder: Path) -> None:
    images, labels = pictures(class_sizes(2, N), 8)
    got = load_dataset(write_arrays(folder / "few.npz", train=(images, labels)), test_share=1 / FOLDS)
    fold = fold_of_images(got, FOLDS, 0)
    assert set(got.test.ids) == set(np.flatnonzero(fold == 0))
    assert np.bincount(fold).tolist() == [16, 16, 16]
    assert all(np.bincount(labels[fold == f]).tolist() == [8, 8] for f in range(FOLDS))


def test_a_fold_is_not_learnt_from_its_copies() -> None:
    pairs = pl.DataFrame(
        {
            "split_a": ["test", "test", "val"], "index_a": [1, 5, 2],
            "split_b": ["train", "train", "train"], "index_b": [7, 1, 9],
        }
    )  # fmt: skip
    held = np.array([1, 2])
    assert set(copies_of(held, pairs, official_validation=False)) == {7, 5, 9}
    # With an official validation part its row 2 is not row 2 of the others; its copies leave training.
    assert set(copies_of(held, pairs, official_validation=True)) == {7, 5, 9}
    assert set(copies_of(np.array([1]), pairs, official_validation=True)) == {7, 5, 9}
    assert set(copies_of(np.array([9]), pairs, official_validation=True)) == {9}


def test_few_images_are_examined_in_folds_and_many_are_not(folder: Path) -> None:
    few = load_dataset(write_arrays(folder / "a.npz", train=pictures(class_sizes(2, 60), 8)))
    many = SimpleNamespace(record=few.record, train=range(400), test=range(100))
    given = load_dataset(
        write_arrays(
            folder / "b.npz", train=pictures(class_sizes(2, 40), 8), test=pictures(class_sizes(2, 20), 8)
        )
    )
    assert planned_folds(StudyConfig(), few) == 5
    assert planned_folds(StudyConfig(folds=1), few) == 1
    assert planned_folds(StudyConfig(), many) == 1  # type: ignore[arg-type]
    assert planned_folds(StudyConfig(), given) == 1
    with pytest.raises(UsageError, match=r"no --folds for arrays:.* which has a test part of its own"):
        planned_folds(StudyConfig(folds=5), given)
