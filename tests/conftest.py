"""Real CIFAR-10 rows for every test, through the code that users run."""

import pytest
from hypothesis import settings

from deepsight.core.dataset import Dataset

# A test never asserts seconds: the machine may be busy.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def cifar10() -> tuple[Dataset, Dataset]:
    """The official train and test sets, memory-mapped from the user's cache."""
    from deepsight.obtain.cifar import load

    obtained = load()
    return obtained.train, obtained.test
