"""Options of `deepsight predict` that would do nothing are refused by name."""

import pytest
from typer.testing import CliRunner

from deepsight.cli.main import app
from deepsight.core.errors import UsageError


@pytest.mark.parametrize(
    "options",
    [
        ("--out", "a.csv", "--maps", "pictures"),
        ("--out", "a.csv", "--neighbours", "3"),
        ("--out", "a.csv", "--json"),
        ("--reject-below", "0.8"),
        ("--reject-unfamiliar", "0.9"),
        ("--engine", "ray"),
    ],
)
def test_an_option_without_effect_is_refused(options: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["predict", "absent-run", "photo.jpg", *options])
    assert isinstance(done.exception, UsageError)
    refused = next(name for name in reversed(options) if name.startswith("--"))
    assert f"Expected no {refused} " in str(done.exception)
