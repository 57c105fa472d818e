"""The nearest training images are those that scikit-learn finds, looked at once and in blocks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from deepsight.core.dataset import Dataset
from deepsight.core.run import Run
from deepsight.model.predict import Predictor
from deepsight.workflows import nearest
from deepsight.workflows.context import Context
from deepsight.workflows.nearest import nearest_training

D = 4 * 4 * 3


def features(pixels: NDArray[np.uint8], *, name: str) -> NDArray[np.float32]:
    """The pixels themselves, around their middle."""
    assert name == "train"
    return pixels.reshape(len(pixels), D).astype(np.float32) - 128


def logits_of(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two classes that no feature tells apart."""
    return np.zeros((len(features), 2), np.float32)


PREDICTOR = cast(Predictor, SimpleNamespace(features=features, logits_of=logits_of))


@pytest.fixture
def train() -> Dataset:
    """Seven hundred images whose ids are no positions."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (700, 4, 4, 3), dtype=np.uint8)
    ids = rng.permutation(9000)[:700].astype(np.int64)
    return Dataset(images, np.arange(700) % 2, ("a", "b"), ids, "train")


def context(path: Path, train: Dataset, said: list[str]) -> Context:
    made: Any = SimpleNamespace(
        run=Run.create(path, {"data": "made"}), splits=SimpleNamespace(train=train), log=said.append
    )
    return cast(Context, made)


def test_neighbours_and_similarities_are_those_of_scikit_learn(train: Dataset, tmp_path: Path) -> None:
    asked = np.random.default_rng(1).normal(size=(9, D)).astype(np.float32)
    found = nearest_training(context(tmp_path / "run", train, []), PREDICTOR, asked, count=6)
    assert found is not None
    known = features(train.pixels(), name="train")
    distance, rows = NearestNeighbors(n_neighbors=6, metric="cosine").fit(known).kneighbors(asked)
    np.testing.assert_array_equal(found.ids, train.ids[rows])
    np.testing.assert_array_equal(found.labels, train.labels[rows])
    np.testing.assert_allclose(found.cosine, 1 - distance, atol=1e-3)  # features are kept in float16
    np.testing.assert_array_equal(found.pixels, train.pixels()[rows])


def test_at_most_so_many_are_looked_at_and_only_once(
    train: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "MOST_TRAINING", 100)
    said: list[str] = []
    here = context(tmp_path / "run", train, said)
    asked = features(train.pixels(slice(0, 1)), name="train")
    for _ in range(2):
        nearest_training(here, PREDICTOR, asked, count=3)
    assert len(here.run.predictions("train")) == 100
    assert len(said) == 1
    assert said[0].startswith("Looking at 100 training images, once")
