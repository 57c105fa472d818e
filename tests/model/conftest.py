"""A few hundred real rows and EfficientNet-Lite0 from its package: training small enough for a test."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.feature_cache import TrunkCache
from deepsight.model.fit import Fitted, fit, preprocessing_of
from deepsight.model.pretrained import Pretrained, from_package
from deepsight.model.training_state import Training, prepare
from small import SMALL, unchecked


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def splits(cifar10: tuple[Dataset, Dataset]) -> Splits:
    train, test = cifar10
    rows = np.arange(1000, 1064)
    return Splits(train.select(np.arange(192)), train.select(rows), test.select(np.arange(64)))


@pytest.fixture(scope="session")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture(scope="session")
def packaged() -> Pretrained:
    return from_package("")


@pytest.fixture
def pretrained(packaged: Pretrained) -> Pretrained:
    return copy.deepcopy(packaged)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> TrunkCache:
    return TrunkCache(tmp_path_factory.mktemp("trunk"))


@pytest.fixture(scope="session")
def train(packaged: Pretrained, splits: Splits, fabric: Fabric, shared_cache: TrunkCache):
    """Train by a recipe; what is trained, what on and where the cache lies can be changed."""

    def run(recipe: Recipe, **changes: object) -> Fitted:
        given = {"cache": shared_cache, "verify": unchecked, "fabric": fabric, "data": splits} | changes
        return fit(copy.deepcopy(packaged), given.pop("data"), recipe, **given)

    return run


@pytest.fixture(scope="session")
def trained(train: Callable[..., Fitted]) -> Fitted:
    return train(SMALL)


@pytest.fixture
def training(pretrained: Pretrained, splits: Splits, fabric: Fabric, shared_cache: TrunkCache) -> Training:
    """What the phases share, before the first of them."""
    torch.manual_seed(0)
    classifier = Classifier(pretrained.backbone, 10)
    return prepare(
        classifier, splits, preprocessing_of(pretrained, SMALL), SMALL,
        cache=shared_cache, verify=unchecked, fabric=fabric,
    )  # fmt: skip
