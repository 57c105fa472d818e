"""Every example of the README and the tutorial is executed, and every link leads somewhere."""

import csv
import re
import shlex
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from typer.main import get_command
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.notebook_html import score_sentence
from deepsight.core.run import Run
from deepsight.obtain import load_dataset

ROOT = Path(__file__).parents[1]


def blocks(file: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


class NearestMean(nn.Module):
    """A model without training: the class whose mean thumbnail of 4 × 4 pixels is nearest."""

    def __init__(self) -> None:
        super().__init__()
        train = load_dataset("cifar10").train
        pixels = torch.from_numpy(train.pixels(slice(5000))).permute(0, 3, 1, 2).float() / 255
        small, labels = self.thumbnails(pixels), train.labels[:5000]
        self.means = torch.stack([small[labels == c].mean(0) for c in range(train.k)])

    @staticmethod
    def thumbnails(images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        return -10 * torch.cdist(self.thumbnails(images), self.means).square()


@pytest.mark.slow
def test_the_python_example_prints_what_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("README.md", "python")
    exec(example, {"model": NearestMean()})
    (shown,) = blocks("README.md", "text")
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_commands_of_the_pages_exist(page: str) -> None:
    known = set(get_command(app).commands)
    used = re.findall(r"^deepsight (\w+)", "\n".join(blocks(page, "sh")), flags=re.MULTILINE)
    assert used
    assert set(used) <= known


def commands(verbs: str) -> list[str]:
    """The commands of README and tutorial with one of these verbs, without their comments."""
    text = "\n".join(block for page in ("README.md", "docs/tutorial.md") for block in blocks(page, "sh"))
    return sorted(
        {line.strip() for line in re.findall(rf"^deepsight ((?:{verbs}) [^#\n]*)", text, flags=re.MULTILINE)}
    )


@pytest.mark.parametrize("command", commands("predict|export"))
def test_the_commands_that_use_a_model_run(
    trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    if "onnx" in command:
        pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/first").symlink_to(trained_run.path)
    Image.new("RGB", (90, 60), "skyblue").save("photo.jpg")
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == 0, done.output
    assert ("photo.jpg: " if command.startswith("predict") else "from the model's own") in done.stdout


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("README.md", "sh")), flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def pages() -> list[str]:
    """Every Markdown page of the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")]
    return sorted(page.relative_to(ROOT).as_posix() for page in found if ".peers" not in page.parts)


@pytest.mark.parametrize("page", pages())
def test_the_links_of_the_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / page).parent / link).exists(), link


@pytest.mark.parametrize("page", pages())
def test_no_line_of_a_page_is_lost(page: str) -> None:
    """MyST takes a line that begins with a percent sign for a comment."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.findall(r"^\s*%.*", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), flags=re.M)


def test_the_readme_fits_on_one_screen_of_reading() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    assert len(prose.split()) <= 700
    assert max(map(len, text.splitlines())) <= 120


def test_the_output_in_the_readme_is_of_a_stored_study() -> None:
    """The line that `deepsight run` printed, from the figures that the benchmark keeps of that study."""
    with (ROOT / "benchmarks/planner/promises.csv").open(newline="", encoding="utf-8") as file:
        stored = [row for row in csv.DictReader(file) if (row["minutes"], row["busy"]) == ("5.0", "0")]
    lines = [
        score_sentence(
            {
                "macro_f1": float(study["macro_f1"]), "mva": 0.65, "mva_passed": True, "n_test": 10_000,
                "macro_f1_ci95": (float(study["ci_low"]), float(study["ci_high"])),
            }
        )
        for study in stored
    ]  # fmt: skip
    (session,) = blocks("README.md", "console")
    command, line, place = session.splitlines()
    assert command.startswith("$ deepsight run --minutes 5 ")
    assert line in lines
    assert place == "Report: runs/first/report.html"
