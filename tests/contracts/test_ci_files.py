"""The files for continuous integration do what they say, as far as a shell can tell."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GATES = "min recall >= 0.7\n\nnear_duplicate_share <= 2 %\n"
EXPECTED = [
    "check",
    "my run",
    "--gate",
    "min recall >= 0.7",
    "--gate",
    "near_duplicate_share <= 2 %",
    "--junit",
]


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """A `deepsight` that writes its arguments down and ends as a failed gate does."""
    program = tmp_path / "bin/deepsight"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\nexit 3\n')
    program.chmod(0o755)
    return tmp_path


def execute(shell: str, script: str, folder: Path, **variables: str) -> tuple[int, list[str]]:
    """The status of a script, and the arguments with which it called `deepsight`."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([shell, "-e", "-c", script], env={"PATH": path, **variables}, check=False)
    return done.returncode, (folder / "arguments").read_text().splitlines()


def test_the_action_passes_each_gate_and_the_status(recorder: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (step,) = action["runs"]["steps"]
    assert set(step["env"]) == {"RUN", "GATES", "JUNIT"}
    assert all(value == f"${{{{ inputs.{name.lower()} }}}}" for name, value in step["env"].items())
    status, arguments = execute("bash", step["run"], recorder, RUN="my run", GATES=GATES, JUNIT="j.xml")
    assert (status, arguments) == (3, [*EXPECTED, "j.xml"])


def test_the_gitlab_snippet_passes_each_gate_and_the_status(recorder: Path) -> None:
    job = yaml.safe_load((ROOT / "docs/gitlab-ci.yml").read_text(encoding="utf-8"))["deepsight-gates"]
    (script,) = job["script"]
    status, arguments = execute("sh", script, recorder, RUN="my run", GATES=GATES)
    assert (status, arguments) == (3, [*EXPECTED, "junit.xml"])
    assert job["artifacts"]["reports"]["junit"] == "junit.xml"


def test_the_workflow_covers_the_systems_and_versions_that_are_promised() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_image_runs_without_rights_and_writes_only_where_it_says() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER deepsight" in lines
    assert lines.index("USER deepsight") < lines.index('ENTRYPOINT ["deepsight"]')
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY")]
    assert all((ROOT / name).exists() for names in copied for name in names)
