"""A model goes to a hub on the loopback and comes back with the same answers; no network is used."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.errors import DeepSightError, UsageError
from deepsight.core.run import Run
from deepsight.model.backbone import Classifier
from deepsight.model.foreign.open import open_model
from deepsight.model.traced_backbone import create_backbone
from deepsight.workflows.publish.push_to_hub import push_run
from deepsight.workflows.trained_model import open_trained
from fake_hub import FakeHub, fake_hub

ARCHITECTURE = "test_resnet"  # timm's own of half a million parameters
CLASSES = ["ant", "bee", "cow"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub on this machine, which is all that the client knows of."""
    with fake_hub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.address)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose model has random weights."""
    torch.manual_seed(0)
    made = Run.create(tmp_path_factory.mktemp("runs") / "cats", {"data": "folder:photos"})
    classifier = Classifier(create_backbone(ARCHITECTURE), len(CLASSES))
    made.noted("model.safetensors").write_bytes(save(classifier.timm_state()))
    prepared = {
        "resolution": 64, "interpolation": "bicubic", "antialias": True,
        "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25],
    }  # fmt: skip
    made.save_json(
        "model.json", {"architecture": ARCHITECTURE, "classes": CLASSES, "preprocessing": prepared}
    )
    made.save_json(
        "metrics.json",
        {
            "macro_f1": 0.8,
            "macro_f1_ci95": [0.5, 0.9],
            "accuracy": 0.8,
            "mva": 0.65,
            "mva_passed": True,
            "n_test": 10,
        },
    )
    made.commit("interpret")
    return made


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)


@pytest.mark.slow
def test_what_was_pushed_opens_again_with_the_same_logits(run: Run, hub: FakeHub) -> None:
    assert push_run(run.path, "hf:ada/cats", private=True) == f"{hub.address}/ada/cats"
    assert hub.private == {"ada/cats": True}
    opened = open_model("hf:ada/cats")
    assert opened.network.classes == tuple(CLASSES)
    assert opened.network.documented is not None
    with torch.inference_mode():
        theirs = opened.network.forward(opened.network.documented(pixels())).numpy()
    ours = open_trained(run.path).predictor.logits(pixels())
    assert np.abs(theirs - ours).max() < 1e-4
    assert np.abs(ours).max() > 1e-2


@pytest.mark.slow
def test_the_repository_is_one_that_timm_reads(run: Run, hub: FakeHub, tmp_path: Path) -> None:
    push_run(run.path, "hf:ada/cats")
    files = hub.repositories["ada/cats"]
    assert {"README.md", "config.json", "model.safetensors", "model.json", "metrics.json"} <= set(files)
    assert files["README.md"].startswith(b"---\nlibrary_name: timm")
    assert files["model.safetensors"] == run.file("model.safetensors").read_bytes()
    assert any(line.startswith("PUT /upload/") for line in hub.requests)  # weights go as large files
    folder = tmp_path / "cloned"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = timm.data.resolve_model_data_config(model)
    assert (list(config["input_size"]), config["crop_pct"]) == ([3, 64, 64], 1.0)
    assert list(config["mean"]) == pytest.approx([0.4, 0.5, 0.6])
    inputs = torch.zeros(1, 3, 64, 64)
    opened = open_model(f"hf:{folder}")
    with torch.inference_mode():
        assert torch.allclose(model(inputs), opened.network.forward(inputs), atol=1e-5)


@pytest.mark.slow
def test_a_second_push_replaces_what_was_there(run: Run, hub: FakeHub) -> None:
    push_run(run.path, "hf:ada/cats")
    hub.repositories["ada/cats"]["config.json"] = b"{}"
    push_run(run.path, "hf:ada/cats")
    assert json.loads(hub.repositories["ada/cats"]["config.json"])["label_names"] == CLASSES


@pytest.mark.slow
def test_a_refusal_of_the_hub_becomes_a_sentence(run: Run, hub: FakeHub) -> None:
    hub.refuse = True
    with pytest.raises(DeepSightError, match="hf auth login"):
        push_run(run.path, "hf:ada/cats")


@pytest.mark.slow
@pytest.mark.parametrize("to", ["ada/cats", "hf:cats", "hf:a/b/c", "hf:ada/ca ts"])
def test_a_name_that_is_no_repository_is_refused(run: Run, hub: FakeHub, to: str) -> None:
    with pytest.raises(UsageError, match="hf:USER/NAME"):
        push_run(run.path, to)
    assert hub.requests == []


@pytest.mark.slow
def test_a_repository_cannot_name_an_architecture_of_its_own(hub: FakeHub) -> None:
    config = {"architecture": "hf-hub:eve/other", "num_classes": 3}
    hub.repositories["eve/model"] = {"config.json": json.dumps(config).encode(), "model.safetensors": b""}
    with pytest.raises(DeepSightError, match="unknown to timm"):
        open_model("hf:eve/model")


@pytest.mark.slow
def test_the_command_names_the_repository(run: Run, hub: FakeHub) -> None:
    done = CliRunner().invoke(app, ["push", str(run.path), "hf:ada/cats"])
    assert done.exit_code == 0, done.output
    assert f"{hub.address}/ada/cats" in done.output.replace("\n", "")
