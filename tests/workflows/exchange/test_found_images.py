"""The rows that other tools get are what the tables of a run say."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import made_run
from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.dataset import Dataset
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.workflows.exchange.formats import send_findings
from deepsight.workflows.exchange.found_images import ExaminedRun, examined_images


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, cifar10: tuple[Dataset, Dataset]
) -> tuple[Path, ExaminedRun]:
    """A made run of 300 real test images, and what is read of it."""
    train, test = cifar10
    rows = np.arange(300)
    run = made_run.make(tmp_path_factory.mktemp("runs") / "made", train.select(rows), test.select(rows))
    run.save_study({"data": "cifar10"})
    run.save_predictions("test", made_run.predictions(test.select(rows)))
    return run.path, examined_images(run.path)


def test_errors_carry_the_causes_of_the_ledger(made: tuple[Path, ExaminedRun]) -> None:
    path, examined = made
    ledger = dict(pl.read_parquet(path / "evidence/ledger.parquet").select("index", "cause").iter_rows())
    causes = {image.id: image.cause for image in examined.images if image.split == "test" and image.cause}
    assert causes == ledger


def test_the_picture_is_that_of_the_data(
    made: tuple[Path, ExaminedRun], cifar10: tuple[Dataset, Dataset]
) -> None:
    _, examined = made
    image = next(image for image in examined.images if image.split == "test" and image.cause)
    assert (examined.pixels(image) == cifar10[1].pixels(np.array([image.id]))[0]).all()
    assert image.given == cifar10[1].classes[cifar10[1].labels[image.id]]


def test_a_run_is_sent_to_label_studio(made: tuple[Path, ExaminedRun], tmp_path: Path) -> None:
    path, examined = made
    tasks, _ = send_findings(path, "label-studio", tmp_path / "out")
    assert tasks.exists()
    assert len(list((tmp_path / "out/images").iterdir())) == len(examined.found().images) > 0


def test_an_image_that_was_dropped_from_training_is_shown(
    made: tuple[Path, ExaminedRun], cifar10: tuple[Dataset, Dataset]
) -> None:
    """A copy of a test image is dropped from training, and flagged as a near-duplicate all the same."""
    run = Run.open(made[0])
    flagged = {
        int(row[f"index_{side}"])
        for row in run.evidence()["duplicates"].frame.iter_rows(named=True)
        for side in "ab"
        if row["flagged"] and row[f"split_{side}"] == "train"
    }
    assert flagged
    others = np.setdiff1d(np.arange(10_000), sorted(flagged))
    plan = StudyPlan(
        backbone="resnet18", train_rows=200, recipe=Recipe(resolution=64, epochs=1),
        degradation_images=50, context_objects=50, faithfulness_images=5,
    )  # fmt: skip
    run.save_study(StudyConfig(data="cifar10", plan=plan).stored())
    run.save_splits({"train": others[100:300], "val": others[:100], "test": np.arange(300)})
    examined = examined_images(run.path)
    shown = [image for image in examined.found().images if image.split == "train"]
    assert {image.id for image in shown} >= flagged
    for image in shown:
        assert (examined.pixels(image) == cifar10[0].pixels(np.array([image.id]))[0]).all()
