"""Against a run: copies of its training images, drift where it was planted, and none where it was not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.run import Run
from deepsight.workflows.audit.run_audit import audit
from small_study import first_rows


def write_arrays(path: Path, data: Dataset, pixels: np.ndarray) -> str:
    np.savez(path, images=pixels, labels=data.labels, classes=np.array(data.classes))
    return str(path)


@pytest.mark.slow
def test_images_like_those_of_the_test_set_have_not_drifted(
    trained_run: Run, cifar10: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    new = cifar10[1].select(np.arange(1000, 1300))
    found = audit(
        write_arrays(tmp_path / "new.npz", new, new.pixels()), tmp_path / "audit", against=trained_run.path
    )
    metrics = found["metrics"]
    assert metrics["training_copy_share"]["value"] <= 0.01
    evidence = Run.open(tmp_path / "audit").evidence()
    assert not evidence["feature_drift"].frame.row(0, named=True)["drifted"]
    assert metrics["unfamiliar_share"]["low"] <= 0.05
    assert "Are the images familiar to the model?" in (tmp_path / "audit" / "report.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.slow
def test_darker_blurred_images_have_drifted_and_copies_are_found(
    trained_run: Run, cifar10: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    new = cifar10[1].select(np.arange(1000, 1200))
    pixels = np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) // 2 for image in new.pixels()])
    trained = first_rows(cifar10[0], 40).select(trained_run.splits()["train"][:5])
    pixels[:5] = trained.pixels()
    found = audit(
        write_arrays(tmp_path / "new.npz", new, pixels), tmp_path / "audit", against=trained_run.path
    )
    metrics = found["metrics"]
    assert metrics["training_copy_share"]["value"] >= 5 / 200
    assert metrics["feature_drift"]["low"] > 0.7
    assert metrics["property_drift"]["value"] > 0.8
    frame = Run.open(tmp_path / "audit").evidence()["property_drift"].frame
    drifted = set(frame.filter("drifted", **{"class": "all"})["property"])
    assert {"brightness", "sharpness"} <= drifted
