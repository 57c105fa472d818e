"""One complete run and its report for all tests of this folder."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import made_run
from deepsight.core.dataset import Dataset
from deepsight.core.run import Run
from deepsight.report import html
from deepsight.report.run_data import RunData, read_run_data

ROWS = np.arange(1500)


@pytest.fixture(scope="session")
def complete(tmp_path_factory: pytest.TempPathFactory, cifar10: tuple[Dataset, Dataset]) -> Run:
    """A finished study of 1,500 real test images."""
    train, test = cifar10
    return made_run.make(tmp_path_factory.mktemp("runs") / "made", train.select(ROWS), test.select(ROWS))


@pytest.fixture
def bare(tmp_path: Path) -> Run:
    """A study that was interrupted at once."""
    return made_run.bare(tmp_path / "bare")


@pytest.fixture(scope="session")
def study(complete: Run) -> RunData:
    return read_run_data(complete)


@pytest.fixture(scope="session")
def report(complete: Run) -> Path:
    return html.render(complete)
