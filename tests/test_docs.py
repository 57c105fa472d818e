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


def test_every_method_decision_and_benchmark_is_on_the_site() -> None:
    for folder, pattern in {"docs/methods": "*.md", "docs/decisions": "*.md", "benchmarks": "*/*.md"}.items():
        listed = (ROOT / folder / "index.md").read_text(encoding="utf-8").split()
        there = {
            page.relative_to(ROOT / folder).with_suffix("").as_posix()
            for page in (ROOT / folder).glob(pattern)
        }
        assert there - {"index"} <= set(listed)
