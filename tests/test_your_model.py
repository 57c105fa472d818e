"""The page about your own model says what the command takes."""

import re
from pathlib import Path

import yaml
from typer.testing import CliRunner

from deepsight.cli.main import app
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
