"""One server for all commands, and one finished study to damage."""

from collections.abc import Iterator

import pytest

from faulty.commands import Folders, make_folders
from faulty.runner import Runner


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """Runs commands in children of one process."""
    with Runner(seconds=600) as started:  # others may compute beside the tests
        yield started


@pytest.fixture(scope="session")
def folders(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Where attempts begin."""
    return make_folders(runner, tmp_path_factory.mktemp("faults"))
