"""Ray gives the tables of the local engine, though a worker dies.

All tests that need a cluster lie here and share one: on a busy machine its start takes a minute.
"""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import made_passes
from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.progress import silent
from deepsight.core.run import Run
from deepsight.workflows.audit import passes as audit_passes
from deepsight.workflows.audit.run_audit import audit
from deepsight.workflows.examine.examination import SpreadPasses, predictions_of
from deepsight.workflows.examine.examine_run import open_run_answers
from deepsight.workflows.examine.fit_model import fit_to_data
from deepsight.workflows.examine.named_model import NamedModel
from deepsight.workflows.passes.block_passes import run_blocks
from deepsight.workflows.passes.image_passes import ImagePasses
from deepsight.workflows.passes.ray_start import join_cluster, ray_library
from deepsight.workflows.predict import predict_many as prediction
from deepsight.workflows.study import run_until
from made_passes import open_mortal_answers
from photos import photos, write_photos
from small_study import trained_study

N = 250


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine; its workers find the helpers of the tests."""
    pytest.importorskip("ray", reason="Ray is not installed")
    ray = ray_library()
    with pytest.MonkeyPatch.context() as patch:
        support = str(Path(made_passes.__file__).parent)
        patch.setenv("PYTHONPATH", os.pathsep.join([support, os.environ.get("PYTHONPATH", "")]))
        try:
            join_cluster(ray, None, silent)
        except DeepSightError as error:  # on a machine without a free core; tests of the start are elsewhere
            pytest.skip(str(error))
        try:
            yield
        finally:
            ray.shutdown()


def same_tables(here: Path, there: Path) -> None:
    """Assert that two run folders hold the same evidence."""
    names = {path.name for path in (here / "evidence").glob("*.parquet")}
    assert names == {path.name for path in (there / "evidence").glob("*.parquet")}
    assert names
    for name in sorted(names):
        a, b = (pl.read_parquet(folder / "evidence" / name) for folder in (here, there))
        assert a.equals(b), name


@pytest.mark.slow
@pytest.mark.study
def test_answers_are_the_same_though_a_worker_dies(
    cluster: None, trained_run: Run, cifar10: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    images = cifar10[1].select(np.arange(N)).images
    mark = tmp_path / "died"
    passed = partial(run_blocks, n=N, block=100, name="images", log=silent)
    here = passed(partial(open_run_answers, trained_run.path, images), kept=tmp_path / "a")
    there = passed(
        partial(open_mortal_answers, trained_run.path, images, mark, 100), kept=tmp_path / "b", engine="ray"
    )
    with pytest.raises(DeepSightError, match="--engine local"):
        passed(partial(open_run_answers, tmp_path / "absent", images), kept=tmp_path / "c", engine="ray")
    assert mark.exists()
    assert set(there) == set(here)
    for name, values in here.items():
        assert np.allclose(there[name], values, rtol=0, atol=1e-6 * np.abs(values).max()), name


@pytest.mark.slow
@pytest.mark.study
def test_an_audit_has_the_same_tables(cluster: None, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(audit_passes, "BLOCK", 16)
    write_photos(tmp_path / "data", *photos(60))
    here = audit(str(tmp_path / "data"), tmp_path / "here")
    there = audit(str(tmp_path / "data"), tmp_path / "there", engine="ray")
    assert there["metrics"] == here["metrics"]
    same_tables(tmp_path / "here", tmp_path / "there")


@pytest.mark.slow
@pytest.mark.study
def test_a_table_of_predictions_is_the_same(
    cluster: None, trained_run: Run, cifar10: tuple[Dataset, Dataset], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(prediction, "BLOCK", 4)
    for i in range(10):
        Image.fromarray(cifar10[1].pixels(np.array([i]))[0]).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    here = prediction.predict_many(trained_run.path, ["."])
    there = prediction.predict_many(trained_run.path, ["."], engine="ray")
    assert there.equals(here)


@pytest.mark.slow
@pytest.mark.study
def test_a_model_in_a_torchscript_file_is_opened_by_the_workers(
    cluster: None, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )  # fmt: skip
    torch.jit.script(network.eval()).save("model.pt")
    images, labels = photos(60)
    data = Dataset(images, labels, ("a", "b"), np.arange(60), "test")
    named = fitted_file("torchscript:model.pt", data)
    here = predictions_of(named.open(), data)
    spread = SpreadPasses(ImagePasses("ray", tmp_path / "images"), named.open)
    there = predictions_of(named.open(), data, spread=spread, kept=tmp_path / "kept")
    assert np.array_equal(there.logits, here.logits)


def fitted_file(what: str, data: Dataset) -> NamedModel:
    """A model in a file, fitted to data without an audit of its order."""
    from deepsight.model.foreign.open import open_model

    fitted = fit_to_data(open_model(what).network, data, classes=data.classes)
    return NamedModel.of(fitted, what, None, offline=True)


@pytest.mark.slow
@pytest.mark.study
def test_a_study_has_the_same_tables(
    cluster: None, trained_run: Run, cifar10: tuple[Dataset, Dataset], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    shutil.copytree(trained_run.path, tmp_path / "here")
    there = trained_study(tmp_path, *cifar10, engine="ray")
    run_until("interpret", tmp_path / "here", log=silent)
    run_until("interpret", there.path, engine="ray", log=silent)
    a, b = (Run.open(place).predictions("test") for place in (tmp_path / "here", there.path))
    assert np.array_equal(a.logits, b.logits)
    assert np.array_equal(a.features, b.features)
    same_tables(tmp_path / "here", there.path)
