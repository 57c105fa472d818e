"""A study of real CIFAR-10 rows up to its trained model, small enough for a test."""

from pathlib import Path

import numpy as np

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.dataset import Dataset
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.workflows.study import run_until


def first_rows(data: Dataset, per_class: int) -> Dataset:
    """The first rows of each class."""
    return data.select(
        np.sort(np.concatenate([np.flatnonzero(data.labels == c)[:per_class] for c in range(10)]))
    )


def write_rows(path: Path, train: Dataset, test: Dataset) -> Path:
    """Rows as a data set of their own."""
    np.savez(
        path, images=train.pixels(), labels=train.labels, test_images=test.pixels(), test_labels=test.labels,
        classes=np.array(train.classes),
    )  # fmt: skip
    return path


def trained_study(
    folder: Path, train: Dataset, test: Dataset, *, lever_sizes: dict[str, int] | None = None,
    engine: str = "local",
) -> Run:  # fmt: skip
    """A run folder with a model that was trained on forty rows a class at 64 pixels."""
    data = write_rows(folder / "rows.npz", first_rows(train, 40), first_rows(test, 8))
    plan = StudyPlan(
        backbone="tf_efficientnet_lite0", train_rows=360, recipe=Recipe(resolution=64, epochs=2, views=1),
        degradation_images=50, context_objects=50, faithfulness_images=5,
        lever_sizes=lever_sizes or {},
    )  # fmt: skip
    run = Run.create(folder / "run", StudyConfig(data=f"arrays:{data}", plan=plan).stored())
    run_until("train", run.path, engine=engine, log=lambda _: None)
    return run
