"""Real CIFAR-10 rows for every test, through the code that users run."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from deepsight.core.dataset import Dataset
from deepsight.core.evidence import Evidence
from deepsight.core.run import Run
from deepsight.core.schemas.table_columns import KNOWN
from deepsight.core.schemas.tables import require_table

# Before anything loads torch: two test processes share two cores. One thread also gives the same sums every
# time. The commands that tests start inherit both.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A test never asserts seconds: the machine may be busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the data set, so that a person can leave them out; start the long files first.

    Where processes share the files, a long one that begins last would keep the others waiting.
    """
    for item in items:
        if {"cifar10", "trained_run"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.data)
    if os.environ.get("PYTEST_XDIST_WORKER"):
        long = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def cifar10() -> tuple[Dataset, Dataset]:
    """The official train and test sets, memory-mapped from the user's cache."""
    from deepsight.obtain.cifar10.load import load_cifar10

    obtained = load_cifar10()
    return obtained.train, obtained.test


@pytest.fixture(scope="session")
def trained_run(cifar10: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run folder up to its trained model; the cache of its making is not the user's.

    The other cache ends with the making: later tests of the session find the data in their own.
    """
    from small_study import trained_study  # only what needs a model loads it

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return trained_study(tmp_path_factory.mktemp("study"), *cifar10)


MADE_UP = {"first", "second", "third"}  # tables of tests that are about any table


@pytest.fixture(scope="session", autouse=True)
def every_stored_table_is_listed() -> Iterator[None]:
    """Whatever a test stores, `core/schemas` knows: a study must not write what a command refuses to read."""
    save = Run.save_evidence

    def checked(run: Run, evidence: Evidence) -> None:
        for name, table in evidence.items():
            require_table(name, table.frame)
            unlisted = set(table.frame.columns) - KNOWN.get(name, frozenset())
            assert name in MADE_UP or name in KNOWN, f"list the table {name} in core/schemas/table_columns.py"
            assert name in MADE_UP or not unlisted, (
                f"list {unlisted} of {name} in core/schemas/table_columns.py"
            )
        save(run, evidence)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "save_evidence", checked)
        yield
