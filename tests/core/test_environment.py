"""What a run says of the machine that it ran on."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from deepsight.core.environment import environment, machine_mb, memory_mb, peak_rss_mb, processor, rss_mb


def test_processors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\n")
    assert processor(info) == "AMD EPYC (cpu family 26, model 2)"
    info.write_text("processor\t: 0\nmodel name\t: Some ARM core\n")
    assert processor(info) == "Some ARM core"
    assert processor(tmp_path / "absent")


def test_the_machine_is_described() -> None:
    told = environment()
    assert told["versions"]["torch"]
    assert told["cores"] >= 1
    assert told["threads"] >= 1


@pytest.mark.slow
def test_memory_is_that_of_this_process_and_its_peak_stays() -> None:
    # In a process of its own: where much was freed before, more may be had without a higher peak.
    script = """
        from deepsight.core.environment import peak_rss_mb, rss_mb
        before = rss_mb()
        held = b"x" * 200_000_000
        with_it = rss_mb()
        del held
        print(with_it - before, rss_mb() - before, peak_rss_mb() - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    held, left, peak = map(float, printed.split())
    assert held == pytest.approx(200, abs=20)
    assert left < 20
    assert peak >= held - 1


def test_memory_is_within_the_machine_s() -> None:
    assert 0 < rss_mb() <= peak_rss_mb() + 1 < machine_mb()
    assert memory_mb("NoSuchLine") is None
