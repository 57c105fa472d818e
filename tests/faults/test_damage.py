"""A damaged file of a run or a cache is refused or made again; it never gives a wrong answer."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faulty.commands import MAKES, READERS, REPORT, RUN, Folders
from faulty.damage import DAMAGES, Question, files_below, outcome_of_damage, question
from faulty.runner import Runner

pytestmark = pytest.mark.slow
TRIED = 15


@pytest.fixture(scope="module")
def questions(runner: Runner, folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> list[Question]:
    work = tmp_path_factory.mktemp("questions") / "work"
    asked = [
        question(runner, folders.done, work, *command, made=MAKES.get(name, ()))
        for name, command in READERS.items()
    ]
    return [*asked, question(runner, folders.done, work, *REPORT, makes=True)]


def cases(folders: Folders) -> Iterator[tuple[str, str, int]]:
    """Files of the run in a random order, each with a kind of damage and the number of a question."""
    names = list(files_below(folders.done / "run"))
    rng = np.random.default_rng(7)
    rng.shuffle(names)
    damages = itertools.cycle(DAMAGES)
    for name in names[:TRIED]:
        yield f"run/{name}", next(damages), int(rng.integers(len(READERS) + 1))


def test_files_of_a_run(runner: Runner, folders: Folders, questions: list[Question], tmp_path: Path) -> None:
    found = {}
    for seed, (name, damage, number) in enumerate(cases(folders)):
        asked, other = questions[number], folders.done / "other" / Path(name).relative_to("run").parent
        outcome = outcome_of_damage(
            runner, asked, folders.done, other, name, damage, tmp_path / "work", seed=seed
        )
        if outcome is not None:
            found[name, damage, asked.command[0]] = outcome
    bad = {case: why for case, (outcome, why) in found.items() if outcome in ("wrong", "crashed")}
    assert not bad
    assert len(found) > TRIED / 2


@pytest.mark.study
def test_files_of_the_cache(runner: Runner, folders: Folders, tmp_path: Path) -> None:
    start = tmp_path / "start"
    asked = question(runner, folders.new, start, *RUN, makes=True)
    shutil.rmtree(start / "run")
    names = [f"cache/{name}" for name in files_below(start / "cache")]
    assert names
    for seed, name in enumerate(names):
        damage = ("truncated", "flipped", "emptied")[seed % 3]
        outcome = outcome_of_damage(
            runner, asked, start, tmp_path, name, damage, tmp_path / "work", seed=seed
        )
        assert outcome is None or outcome[0] in ("healed", "same"), (name, damage, outcome)
