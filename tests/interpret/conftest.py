"""Real images with a planted cue, and a network that is known to use it."""

from collections.abc import Callable

import numpy as np
import pytest

from conv_nets import SmallNet
from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.interpret.inputs import ExaminationInputs
from open_nets import OpenNet

PATCH = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)])
N = 400


@pytest.fixture(scope="session")
def corner(cifar10: tuple[Dataset, Dataset]) -> Dataset:
    """Real images whose label is the colour of a patch in their top left corner; every tenth is wrong."""
    images = cifar10[0].pixels(slice(0, N)).copy()
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=N)
    shown = np.where(rng.random(N) < 0.1, (labels + 1) % 4, labels)
    images[:, :8, :8] = PATCH[shown][:, None, None]
    return Dataset(images, labels, ("red", "green", "blue", "yellow"), np.arange(N), "test")


@pytest.fixture(scope="session")
def uses_corner(corner: Dataset) -> SmallNet:
    """A network whose head was fitted to these images."""
    return SmallNet(4).fit(corner.pixels(), corner.labels)


@pytest.fixture(scope="session")
def inputs_of(corner: Dataset) -> Callable[[OpenNet], ExaminationInputs]:
    """What is examined: the answers of a model on these images."""

    def make(model: OpenNet) -> ExaminationInputs:
        logits = model.logits(corner.pixels())
        said = Predictions(corner.ids, corner.labels, logits, np.zeros((N, 0), np.float32))
        return ExaminationInputs(test=corner, predictions=said, seed=0)

    return make
