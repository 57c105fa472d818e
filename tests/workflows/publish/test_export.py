"""An exported file gives the model's own answers, says how it is used, and is not left where it does not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.run import Run
from deepsight.model import export
from deepsight.workflows.publish.export import export_model, require_format

Batch = NDArray[np.float32]


def batch(n: int) -> Batch:
    return np.random.default_rng(0).uniform(0, 255, (n, 3, 64, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def torchscript(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / "model.pt"
    said = export_model(trained_run.path, format="torchscript", file=file)
    assert said["largest_difference"] <= 1e-4
    assert said["images"] == 64
    return file


def test_torchscript_runs_alone_on_any_number_of_images_and_describes_itself(torchscript: Path) -> None:
    files = {export.ABOUT: ""}
    module = torch.jit.load(torchscript, _extra_files=files)
    about = json.loads(files[export.ABOUT])
    assert about["input"]["shape"] == ["n", 3, 64, 64]
    assert about["classes"][3] == "cat"
    seven = module(torch.from_numpy(batch(7)))
    assert seven.shape == (7, 10)
    torch.testing.assert_close(module(torch.from_numpy(batch(7)[:1])), seven[:1], rtol=1e-4, atol=1e-4)


def test_onnx_gives_what_torchscript_gives(trained_run: Run, torchscript: Path, tmp_path: Path) -> None:
    for package in export.ONNX_PACKAGES:
        pytest.importorskip(package)
    import onnxruntime

    said = export_model(trained_run.path, format="onnx", file=tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert taken.shape == ["n", 3, 64, 64]
    assert json.loads(session.get_modelmeta().custom_metadata_map[export.ABOUT])["classes"] == said["classes"]
    (logits,) = session.run(None, {"images": batch(5)})
    module = torch.jit.load(torchscript)
    np.testing.assert_allclose(logits, module(torch.from_numpy(batch(5))).numpy(), rtol=1e-4, atol=1e-4)


def test_a_file_that_answers_otherwise_is_not_left(
    trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = export.Deployed.forward
    monkeypatch.setattr(export.Deployed, "forward", lambda self, images: forward(self, images) + 0.001)
    with pytest.raises(DeepSightError, match=r"difference of 0\.001"):
        export_model(trained_run.path, format="torchscript", file=tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_and_an_unknown_format_are_named(
    trained_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(DeepSightError, match=r"onnxscript.*deepsight-forensics\[onnx\]"):
        export_model(trained_run.path, format="onnx")
    with pytest.raises(UsageError, match="did you mean 'onnx'"):
        require_format("onx")


def test_a_run_without_a_model_says_how_to_make_one(tmp_path: Path) -> None:
    Run.create(tmp_path / "new", {"data": "cifar10"})
    with pytest.raises(DeepSightError, match="deepsight train"):
        export_model(tmp_path / "new", format="torchscript")
