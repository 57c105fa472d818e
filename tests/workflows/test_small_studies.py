"""Whole studies, report included, of small sets of every side, number of classes, balance and fault."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepsight.config import StudyConfig, StudyPlan
from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe
from deepsight.core.run import Run
from deepsight.workflows.study import run_study
from small_sets import class_sizes, pictures, with_copies, write_arrays, write_folder

slow = [pytest.mark.slow, pytest.mark.study]


def even_arrays(folder: Path, k: int, n: int, side: int) -> str:
    return write_arrays(folder / "rows.npz", train=pictures(class_sizes(k, n), side))


def uneven_arrays(folder: Path, k: int, n: int, side: int) -> str:
    return write_arrays(folder / "rows.npz", train=pictures(class_sizes(k, n, ratio=100), side))


def given_splits(folder: Path, k: int, n: int, side: int) -> str:
    parts = {name: pictures(class_sizes(k, n // share), side, seed=share) for name, share in SHARES.items()}
    return write_arrays(folder / "rows.npz", **parts)


def copies(folder: Path, k: int, n: int, side: int) -> str:
    return write_arrays(
        folder / "rows.npz", train=with_copies(*pictures(class_sizes(k, n), side), 3, conflicting=False)
    )


def conflicting_copies(folder: Path, k: int, n: int, side: int) -> str:
    return write_arrays(
        folder / "rows.npz", train=with_copies(*pictures(class_sizes(k, n), side), 8, conflicting=True)
    )


def of_mode(mode: str) -> Callable[[Path, int, int, int], str]:
    def folder_of_mode(folder: Path, k: int, n: int, side: int) -> str:
        return write_folder(folder / "images", *pictures(class_sizes(k, n), side), mode=mode)

    return folder_of_mode


def oblong(folder: Path, k: int, n: int, side: int) -> str:
    images, labels = pictures(class_sizes(k, n), side)
    return write_folder(folder / "images", images.repeat(2, axis=2), labels, mode="RGB")


EMBEDDED = re.compile(r"base64,[A-Za-z0-9+/=]+")
MOST_ROWS = 300  # training images: the search for near-duplicates is most of what more of them cost
SHARES = {"train": 1, "val": 4, "test": 3}
STUDIES = [
    pytest.param(even_arrays, 2, 40, 8, id="8 px, 2 classes"),
    pytest.param(oblong, 2, 60, 30, id="60 x 30 px, folder", marks=pytest.mark.slow),
    pytest.param(of_mode("L"), 3, 60, 48, id="48 px, greys, folder", marks=pytest.mark.slow),
    pytest.param(conflicting_copies, 3, 60, 32, id="32 px, conflicting copies", marks=pytest.mark.slow),
    pytest.param(uneven_arrays, 10, 400, 28, id="28 px, 10 classes, 100:1", marks=slow),
    pytest.param(even_arrays, 250, 760, 32, id="32 px, 250 classes", marks=slow),
    pytest.param(uneven_arrays, 100, 900, 32, id="32 px, 100 classes, 100:1", marks=slow),
    pytest.param(of_mode("RGBA"), 2, 60, 64, id="64 px, transparent, folder", marks=slow),
    pytest.param(of_mode("I;16"), 3, 60, 96, id="96 px, 16 bits, folder", marks=slow),
    pytest.param(copies, 2, 80, 128, id="128 px, copies", marks=slow),
    pytest.param(even_arrays, 2, 40, 224, id="224 px, 2 classes", marks=slow),
    pytest.param(given_splits, 10, 120, 64, id="64 px, splits given", marks=slow),
    pytest.param(even_arrays, 2, 2000, 28, id="28 px, 2,000 images", marks=slow),
]


def planned(rows: int) -> StudyPlan:
    """One pass at 32 pixels and the smallest samples."""
    return StudyPlan(
        backbone="tf_efficientnet_lite0", train_rows=rows,
        recipe=Recipe(resolution=32, epochs=1, views=1, batch=16),
        degradation_images=50, context_objects=50, faithfulness_images=5,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("write", "k", "n", "side"), STUDIES)
def test_a_small_study_runs_to_its_report(
    write: Callable[[Path, int, int, int], str], k: int, n: int, side: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    study = StudyConfig(data=write(tmp_path, k, n, side), plan=planned(min(n, MOST_ROWS)), offline=True)
    metrics = run_study(study, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert 0 <= metrics["macro_f1"] <= 1
    assert all(math.isfinite(end) for end in metrics["macro_f1_ci95"])
    evidence = run.evidence()
    assert set(evidence["balance"].frame["class"].unique()) == {*run.read_json("data.json")["classes"]}
    assert {"duplicates", "interpolation", "hypotheses", "confusion", "recall", "ledger"} <= set(evidence)
    report = run.file("report.html").read_text(encoding="utf-8")
    assert "</html>" in report
    assert "NaN" not in EMBEDDED.sub("", report.split("<script")[0])


@pytest.mark.slow
def test_images_that_are_all_equal_are_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    equal = np.full((60, 32, 32, 3), 128, dtype=np.uint8), np.arange(60) % 2
    study = StudyConfig(data=write_arrays(tmp_path / "rows.npz", train=equal), plan=planned(60))
    with pytest.raises(DeepSightError, match="do not copy validation or test images, but none is left"):
        run_study(study, tmp_path / "run")
