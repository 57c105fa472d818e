"""A model by its name answers in another process as it did in the first."""

import pickle
from pathlib import Path

import numpy as np
import polars.testing
import pytest
import torch

from deepsight.core.dataset import Dataset
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.model.foreign.open import open_model
from deepsight.workflows.examine.examination import SpreadPasses, predictions_of
from deepsight.workflows.examine.fit_model import fit_to_data
from deepsight.workflows.examine.named_model import NamedModel
from deepsight.workflows.passes import image_passes
from deepsight.workflows.passes.image_passes import ImagePasses
from photos import photos


@pytest.fixture
def data() -> Dataset:
    images, labels = photos(40)
    return Dataset(images, labels, ("a", "b"), np.arange(40), "test")


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A small network with random weights in a TorchScript file."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )  # fmt: skip
    torch.jit.script(network.eval()).save(tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_it_answers_the_same_after_it_was_sent(data, model_file, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(model_file.parent)
    fitted = fit_to_data(open_model("torchscript:model.pt").network, data, classes=("b", "a"))
    named = pickle.loads(pickle.dumps(NamedModel.of(fitted, "torchscript:model.pt", None, offline=True)))
    monkeypatch.chdir("/")  # a worker stands in another folder
    spread = SpreadPasses(ImagePasses("local", tmp_path / "images"), named.open)
    there = predictions_of(fitted.model, data, spread=spread, kept=tmp_path / "kept")
    here = predictions_of(fitted.model, data)
    np.testing.assert_array_equal(there.logits, here.logits)
    np.testing.assert_array_equal(there.features, here.features)


def test_passes_over_images_join_their_blocks(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(image_passes, "BLOCK", 16)
    passes = ImagePasses("local", tmp_path / "images")
    polars.testing.assert_frame_equal(passes.properties(data.images), measured_properties(data.images))
    assert not list(tmp_path.glob("images*"))
