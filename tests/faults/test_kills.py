"""A study that is stopped anywhere goes on from there and comes to the same; its status is never 0 before."""

from pathlib import Path

import numpy as np
import pytest

from faulty.commands import RUN, Folders
from faulty.kills import SIGNALS, Undisturbed, outcome_of_fault, undisturbed
from faulty.runner import Fault, Runner

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(runner: Runner, folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return undisturbed(runner, "run", folders.new, RUN, tmp_path_factory.mktemp("whole") / "work")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_a_random_instant(
    number: int, runner: Runner, study: Undisturbed, tmp_path: Path
) -> None:
    after = float(np.random.default_rng(number).uniform(0.1, study.seconds))
    fault = Fault(signal=number, after=after)
    outcome, why = outcome_of_fault(runner, study, fault, tmp_path / "work")
    assert outcome in ("healed", "same"), why


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("run/model.safetensors", "after"),
        ("run/manifests/interpret.json", "before"),
        ("run/report.html", "stop"),
        ("run/predictions/test.npz", "full"),
    ],
)
def test_a_fault_at_a_commit_point(
    name: str, how: str, runner: Runner, study: Undisturbed, tmp_path: Path
) -> None:
    at = len(study.points) - study.points[::-1].index(name)
    outcome, why = outcome_of_fault(runner, study, Fault(at=at, how=how), tmp_path / "work")
    assert outcome == "healed", why
