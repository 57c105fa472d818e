"""A stop is no error: nothing swallows it, and the process ends with the status of the signal."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.stop import SIGNALS, Stopped


def test_a_stop_is_not_caught_as_an_error() -> None:
    assert not issubclass(Stopped, Exception)
    assert not issubclass(Stopped, DeepSightError)


SWALLOWED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from deepsight.cli.failures import run_guarded
    from deepsight.core.files.atomic import write_text
    from deepsight.core.stop import stop_on_signals

    def work():
        try:
            os.kill(os.getpid(), int(sys.argv[1]))
        except BaseException:  # as a callback in C code does
            pass
        if sys.argv[2]:
            write_text(Path(sys.argv[2]), "a result")

    stop_on_signals()
    sys.exit(run_guarded(work, debug=False))
""")


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_a_stop_that_was_swallowed_ends_the_process_all_the_same(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SWALLOWED, str(int(number)), ""]
    before = signal.signal(number, signal.SIG_DFL)  # under nohup the tests themselves ignore SIGHUP
    try:
        assert subprocess.run(command, check=False).returncode == 128 + number
    finally:
        signal.signal(number, before)


@pytest.mark.slow
def test_no_file_is_written_after_a_stop(tmp_path) -> None:
    command = [sys.executable, "-c", SWALLOWED, str(int(signal.SIGTERM)), str(tmp_path / "a.txt")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 143
    assert "run the same command again" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_stop_that_a_library_reports_as_its_own_error_is_still_a_stop() -> None:
    # As pydantic does where the signal comes while it builds a schema in Rust.
    wrapped = SWALLOWED.replace("pass", 'raise ValueError("error building a schema: stopped") from None')
    command = [sys.executable, "-c", wrapped, str(int(signal.SIGTERM)), ""]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 143
    assert "interrupted" in done.stderr
    assert "bug" not in done.stderr
