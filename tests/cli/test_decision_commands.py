"""The command that `apply` proposes leads to the folder that `run` would choose."""

import shlex
from pathlib import Path

from deepsight.cli.decision_commands import next_command
from deepsight.cli.run_folders import new_run_folder
from deepsight.core.run import Run


def test_the_next_command_repeats_the_plan_unless_there_are_more_images(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "my run", {"data": "folder:photos"})
    examined = next_command(run.path, "table:c.csv", larger=False)
    assert examined == f"deepsight run --data table:c.csv --out '{run.path}-cleaned'"
    run.file("model.safetensors").touch()
    again = next_command(run.path, "table:c.csv", larger=False)
    ending = f"--data table:c.csv --compare-with '{run.path}' --out '{run.path}-cleaned'"
    assert again == f"deepsight run --config '{run.path}/study.yaml' {ending}"
    assert next_command(run.path, "table:c.csv", larger=True) == f"deepsight run {ending}"
    assert Path(shlex.split(again)[-1]) == new_run_folder(None, run.path)
