"""The page about your own model says what the command takes, and its examples run."""

import re
import sys
from pathlib import Path

import cv2
import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file
from typer.testing import CliRunner

from colour_task import ColourNet, coloured_discs
from deepsight.cli.main import app, main
from deepsight.core.run import Run
from deepsight.model.foreign.input_format import input_format_of
from deepsight.model.foreign.open import SCHEMES

PAGE = Path(__file__).parents[1].joinpath("docs", "your-model.md").read_text(encoding="utf-8")


def test_every_option_and_scheme_is_there() -> None:
    options = set(re.findall(r"--[a-z]+", PAGE))
    help_text = CliRunner().invoke(app, ["examine", "--help"], env={"COLUMNS": "200"}).output
    assert {option for option in options if option not in help_text} == set()
    assert {scheme for scheme in SCHEMES if f"`{scheme}:" not in PAGE} == set()


def test_the_preprocessing_can_be_read() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    assert input_format_of(yaml.safe_load(block)).crop_share == 0.875


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the page speaks of."""
    data = coloured_discs(75, seed=5)
    for i, (image, c) in enumerate(zip(data.pixels(), data.labels, strict=True)):
        file = tmp_path / "photos" / data.classes[c] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), image[..., ::-1])
    module = ColourNet(order=(2, 1, 0)).eval()  # a folder's classes are in the order of the alphabet
    torch.onnx.export(
        module, (torch.zeros(2, 3, 32, 32),), tmp_path / "theirs.onnx", dynamo=False,
        input_names=["images"], dynamic_axes={"images": {0: "batch"}},
    )  # fmt: skip
    save_file(timm.create_model("resnet10t", num_classes=3).state_dict(), tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_runs(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = re.findall(r"^\$ (deepsight .*)$", PAGE, re.M)
    monkeypatch.setattr(sys, "argv", command.replace("--minutes 5", "--minutes 0.1").split())
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    run = Run.open(shelf / "runs" / "theirs")
    assert run.metrics()["macro_f1"] == 1.0
    assert {"preprocessing_audit", "class_order_audit"} <= set(run.evidence())
    assert run.has("report.html")


@pytest.mark.slow
def test_the_program_runs(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(program.replace("minutes=5", "minutes=0.02"), "your-model.md", "exec"), {})
    said = capsys.readouterr().out
    assert "No preprocessing is documented" in said
    assert "Not examined: " in said
