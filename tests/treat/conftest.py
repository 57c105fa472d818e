"""Sixty training images of three classes."""

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from made_arms import dataset


@pytest.fixture
def train() -> Dataset:
    return dataset(np.repeat(np.arange(3), 20).astype(np.int64), first_id=100)
