"""The folder of a new run, and the command that `apply` proposes."""

from pathlib import Path

import pytest

from deepsight.cli.decision_commands import next_command
from deepsight.cli.study_commands import FIRST, new_run_folder
from deepsight.core.errors import UsageError
from deepsight.core.run import Run


def test_a_run_that_is_compared_never_goes_into_the_folder_of_the_other(tmp_path: Path) -> None:
    earlier = tmp_path / "first"
    assert new_run_folder(None, None) == FIRST
    assert new_run_folder(tmp_path / "x", earlier) == tmp_path / "x"
    assert new_run_folder(None, earlier) == tmp_path / "first-cleaned"
    with pytest.raises(UsageError, match=r"such as --out .*first-cleaned"):
        new_run_folder(tmp_path / "y" / ".." / "first", earlier)


def test_the_next_command_repeats_the_plan_unless_there_are_more_images(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "my run", {"data": "folder:photos"})
    examined = next_command(run.path, "table:c.csv", larger=False)
    assert examined == f"deepsight run --data table:c.csv --out '{run.path}'-cleaned"
    run.file("model.safetensors").touch()
    again = next_command(run.path, "table:c.csv", larger=False)
    ending = f"--data table:c.csv --compare-with '{run.path}' --out '{run.path}'-cleaned"
    assert again == f"deepsight run --config '{run.path}/study.yaml' {ending}"
    assert next_command(run.path, "table:c.csv", larger=True) == f"deepsight run {ending}"
