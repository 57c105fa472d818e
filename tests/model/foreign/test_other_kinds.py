"""A model in another form is named, with what to do."""

from pathlib import Path

import pytest

from deepsight.core.errors import UsageError
from deepsight.model.foreign.open import open_model, split_model_name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.tflite", "TensorFlow Lite.*tf2onnx.convert --tflite .*model.tflite"),
        ("model.pt2", "torch.export.load"), ("model.pkl", "runs code.*python:"), ("m.mlmodel", "Core ML"),
    ],
)  # fmt: skip
def test_files_of_other_programs(name: str, said: str, tmp_path: Path) -> None:
    for what in (str(tmp_path / name), f"onnx:{tmp_path / name}"):
        with pytest.raises(UsageError, match=said):
            open_model(what)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("saved_model.pb", "SavedModel of TensorFlow.*tf2onnx"), ("config.json", "--model hf:"),
        ("study.yaml", "--model run:"), ("notes.txt", "is a folder"),
    ],
)  # fmt: skip
def test_folders(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / content).write_text("{}")
    for what in (str(tmp_path), f"keras:{tmp_path}"):
        with pytest.raises(UsageError, match=said):
            open_model(what)


def test_a_known_prefix_or_suffix_goes_before() -> None:
    assert split_model_name("python:mine:build") == ("python", "mine:build")
    assert split_model_name("model.onnx") == ("onnx", "model.onnx")
