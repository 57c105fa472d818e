"""Mutated pictures, archives, tables and arrays are read or refused; nothing else happens."""

from collections import Counter
from pathlib import Path

import pytest

from faulty.mutants import hostile_arrays, outcome_of_archive, outcome_of_picture, outcome_of_reading


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSIGHT_CACHE", str(tmp_path / "cache"))


@pytest.mark.slow
def test_pictures() -> None:
    found = [outcome_of_picture(number) for number in range(300)]
    assert [why for outcome, why in found if outcome in ("wrong", "crashed")] == []
    assert set(Counter(outcome for outcome, _ in found)) == {"refused", "same"}


@pytest.mark.slow
def test_archives_and_tables(tmp_path: Path) -> None:
    found = [outcome_of_archive(number, tmp_path) for number in range(140)]
    assert [why for outcome, why in found if outcome == "crashed"] == []
    assert set(Counter(outcome for outcome, _ in found)) == {"refused", "same"}


def test_arrays_that_were_made_to_harm(tmp_path: Path) -> None:
    found = {name: outcome_of_reading(path) for name, path in hostile_arrays(tmp_path).items()}
    assert {name: outcome for name, (outcome, _) in found.items() if outcome != "refused"} == {}
