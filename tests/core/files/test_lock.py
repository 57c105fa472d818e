"""Two processes never work in one run folder, and a killed one leaves no lock."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.files.atomic import machine
from deepsight.core.files.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from deepsight.core.files.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_the_other_process_is_named_and_its_end_frees_the_folder(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(DeepSightError, match=f"process {holder.pid} on .* is working in it"),
        locked(tmp_path),
    ):
        pass
    (tmp_path / f".a.npz.{machine()}-{holder.pid}-abcd.part").write_text("half")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        assert os.listdir(tmp_path) == [".lock"]


def test_a_process_may_take_its_own_lock_again(tmp_path: Path) -> None:
    with locked(tmp_path), locked(tmp_path / "."):
        assert (tmp_path / ".lock").exists()
    with locked(tmp_path):
        assert (tmp_path / ".lock").exists()
