"""Threads sleep while they wait only beside other work, and never against what the user has set."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from deepsight.cli import waiting_threads
from deepsight.cli.waiting_threads import busy_share, choose_waiting, core_ticks

BEFORE = "cpu  30 0 0 300 0 0 0 0 0 0\ncpu0 10 0 0 100 0 0 0 0 0 0\ncpu1 20 0 0 200 0 0 0 0 0 0\nintr 1 2\n"
AFTER = "cpu  36 3 0 308 0 0 1 0 0 0\ncpu0 15 0 0 104 0 0 1 0 0 0\ncpu1 21 3 0 204 2 0 0 0 0 0\nintr 2 3\n"


def test_only_the_cores_of_this_process_count() -> None:
    before, after = core_ticks(BEFORE), core_ticks(AFTER)
    assert busy_share(before, after, {0}) == 6 / 10
    assert busy_share(before, after, {1}) == 1 / 10  # three ticks at low priority make room
    assert busy_share(before, after, {0, 1}) == 7 / 20


def test_cores_that_the_system_does_not_list_are_not_busy() -> None:
    assert busy_share(core_ticks(BEFORE), core_ticks(AFTER), {7}) == 0


@pytest.mark.parametrize("name", waiting_threads.SETTINGS)
def test_what_the_user_has_set_stays(name: str) -> None:
    environment = {name: "mine"}
    choose_waiting(environment)
    assert environment == {name: "mine"}


@pytest.fixture
def busy_cores() -> Iterator[None]:
    """A process on every core that this one may use."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in os.sched_getaffinity(0)]
    time.sleep(0.3)
    yield
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.skipif(not waiting_threads.STAT.exists(), reason="this system does not say how busy it is")
@pytest.mark.usefixtures("busy_cores")
def test_beside_other_work_threads_sleep() -> None:
    environment: dict[str, str] = {}
    choose_waiting(environment)
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE"}


def test_on_an_idle_machine_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_threads, "core_ticks", lambda stat: core_ticks(BEFORE))
    environment: dict[str, str] = {}
    choose_waiting(environment)
    assert environment == {}
