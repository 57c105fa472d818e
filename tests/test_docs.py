"""The documentation site builds, without a broken link or a docstring that cannot be read."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_site_has_no_broken_link(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "dummy"]
    done = subprocess.run(
        [*command, "-c", ROOT / "docs", ROOT, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
