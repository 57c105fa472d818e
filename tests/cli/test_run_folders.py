"""The folder of a new run: asked for, the usual one, or one beside the run to compare with."""

from pathlib import Path

import pytest

from deepsight.cli.run_folders import FIRST, cleaned_folder, new_run_folder
from deepsight.core.errors import UsageError


def test_a_run_that_is_compared_never_goes_into_the_folder_of_the_other(tmp_path: Path) -> None:
    earlier = tmp_path / "first"
    assert new_run_folder(None, None) == FIRST
    assert new_run_folder(tmp_path / "x", earlier) == tmp_path / "x"
    assert new_run_folder(None, earlier) == tmp_path / "first-cleaned"
    with pytest.raises(UsageError, match=r"such as --out .*first-cleaned"):
        new_run_folder(tmp_path / "y" / ".." / "first", earlier)


def test_the_folder_of_a_cleaned_run_is_beside_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for the folder that a person is in, which is named "."."""
    run = tmp_path / "first" / "inside"
    run.mkdir(parents=True)
    monkeypatch.chdir(run)
    assert cleaned_folder(Path(".")) == tmp_path / "first" / "inside-cleaned"
    assert cleaned_folder(Path("..")) == tmp_path / "first-cleaned"
    assert cleaned_folder(Path("runs/first/")) == Path("runs/first-cleaned")
