"""A run that a stranger has changed is refused with a sentence or works; nothing is written elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from faulty.commands import READERS, REPORT, Folders
from faulty.runner import Runner
from faulty.strangers import changes_of, outcome_of_change
from faulty.tables import array_changes_of, column_changes_of

pytestmark = pytest.mark.slow
TRIED = 15


@pytest.mark.parametrize("sealed", [False, True])
def test_changed_json(sealed: bool, runner: Runner, folders: Folders, tmp_path: Path) -> None:
    rng = np.random.default_rng(3 + sealed)
    commands = [*READERS.values(), REPORT]
    bad = []
    for change in changes_of(folders.done / "run", rng, TRIED):
        command = commands[int(rng.integers(len(commands)))]
        outcome, why = outcome_of_change(
            runner, folders.done, change, command, tmp_path / "work", sealed=sealed
        )
        if outcome in ("wrong", "crashed"):
            bad.append((change, command[0], why))
    assert not bad


def test_tables_with_columns_of_other_kinds(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    """The manifests fit the changed tables, so only what they hold can give the change away."""
    rng = np.random.default_rng(11)
    commands = [REPORT, *(READERS[name] for name in ("check", "card", "send", "compare"))]
    found = {}
    for change in column_changes_of(folders.done / "run", rng, TRIED):
        command = commands[int(rng.integers(len(commands)))]
        found[change, command[0]] = outcome_of_change(
            runner, folders.done, change, command, tmp_path / "work", sealed=True
        )
    assert {case: why for case, (outcome, why) in found.items() if outcome in ("wrong", "crashed")} == {}
    assert "refused" in {outcome for outcome, _ in found.values()}


def test_splits_and_predictions_of_other_images(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    """Whatever reads them refuses them by name; what does not is right without them."""
    commands = [READERS[name] for name in ("compare", "predict", "audit", "check")]
    changes = list(array_changes_of(folders.done / "run"))
    found = {}
    for number, change in enumerate(
        np.random.default_rng(13).permutation(np.array(changes, dtype=object))[:8]
    ):
        command = commands[number % len(commands)]
        found[change, command[0]] = outcome_of_change(
            runner, folders.done, change, command, tmp_path / "work", sealed=True
        )
    assert {case: why for case, (outcome, why) in found.items() if outcome in ("wrong", "crashed")} == {}
    assert "refused" in {outcome for outcome, _ in found.values()}
