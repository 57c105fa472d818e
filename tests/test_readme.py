"""Every example of the README is executed."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.main import get_command

from deepsight.cli import app

ROOT = Path(__file__).parents[1]


def blocks(file: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


class Brightness(nn.Module):
    """A model that knows how bright an image is, and nothing else."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) @ torch.linspace(-3, 3, 30).reshape(3, 10)


def test_the_python_example_prints_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("README.md", "python")
    exec(example, {"model": Brightness()})
    assert "pairs" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_commands_of_the_pages_exist(page: str) -> None:
    known = set(get_command(app).commands)
    used = re.findall(r"^deepsight (\w+)", "\n".join(blocks(page, "sh")), flags=re.MULTILINE)
    assert used
    assert set(used) <= known


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("README.md", "sh")), flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


@pytest.mark.parametrize("page", sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md")))
def test_the_links_of_the_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / page).parent / link).exists(), link
