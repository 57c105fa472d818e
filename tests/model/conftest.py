"""A few hundred real rows and EfficientNet-Lite0 from its package: training small enough for a test."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from deepsight.core.dataset import Dataset, Splits
from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier
from deepsight.model.batch_integrity import verify_batch
from deepsight.model.feature_cache import FeatureCache
from deepsight.model.pretrained import Pretrained, from_package
from deepsight.model.training.fit import Fitted, fit_model, preprocessing_of
from deepsight.model.training.training_state import Training, prepare_training
from small import SMALL


@pytest.fixture
def verified_batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[int, ...], str]]:
    """Shape and name of every batch that is verified, as it is verified."""
    seen: list[tuple[tuple[int, ...], str]] = []

    def watched(images: torch.Tensor, *, shape: tuple[int, int, int], batch: str) -> None:
        verify_batch(images, shape=shape, batch=batch)
        seen.append((tuple(images.shape), batch))

    monkeypatch.setattr("deepsight.model.preprocess.verify_batch", watched)
    return seen


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
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="session")
def train(packaged: Pretrained, splits: Splits, fabric: Fabric, shared_cache: FeatureCache):
    """Train by a recipe; what is trained, what on and where the cache lies can be changed."""

    def run(recipe: Recipe, **changes: object) -> Fitted:
        given = {"cache": shared_cache, "fabric": fabric, "data": splits} | changes
        return fit_model(copy.deepcopy(packaged), given.pop("data"), recipe, **given)

    return run


@pytest.fixture(scope="session")
def trained(train: Callable[..., Fitted]) -> Fitted:
    return train(SMALL)


@pytest.fixture
def training(pretrained: Pretrained, splits: Splits, fabric: Fabric, shared_cache: FeatureCache) -> Training:
    """What the phases share, before the first of them."""
    torch.manual_seed(0)
    classifier = Classifier(pretrained.backbone, 10)
    return prepare_training(
        classifier, splits, preprocessing_of(pretrained, SMALL), SMALL,
        cache=shared_cache, fabric=fabric,
    )  # fmt: skip
