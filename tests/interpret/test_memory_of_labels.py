"""An examination keeps a few hundred bytes of each image, and copies no features that lie in a file."""

import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from deepsight.core.files import scratch
from deepsight.core.predictions import Predictions
from deepsight.core.statistics import principal_axes
from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.interpret.labels.knn import nearest_neighbours, neighbour_vote
from deepsight.interpret.labels.label_sources import joined_rows
from deepsight.interpret.slices import search

K, D = 10, 64
FEW, MANY = 3_000, 9_000


def inputs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Features as they are stored, and labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(K, size=n)
    return (rng.normal(size=(n, D)) + np.eye(K, D)[labels]).astype(np.float16), labels


def peak(act: Callable[[], object]) -> int:
    """Bytes allocated at the worst moment, beyond what was there."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


STEPS: dict[str, Callable[[np.ndarray, np.ndarray], object]] = {
    "neighbours": lambda x, y: neighbour_vote(
        nearest_neighbours(x, dimensions=32, references=2048, block=256, seed=0), y, K
    ),
    "head": lambda x, y: out_of_fold_probabilities(x, y, K, seed=0),
}
BYTES_A_ROW = {"neighbours": 600, "head": 1000}


def growth(step: Callable[[np.ndarray, np.ndarray], object]) -> float:
    """Bytes per further image."""
    few, many = (peak(partial(step, *inputs(n))) for n in (FEW, MANY))
    return (many - few) / (MANY - FEW)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_memory_grows_with_the_number_of_images(step: str) -> None:
    assert 100 < growth(STEPS[step]) < BYTES_A_ROW[step]


@pytest.mark.slow
def test_clusters_read_features_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 components take 128 bytes per image; the features, as numbers of four bytes, would take 256."""
    monkeypatch.setattr(search, "BLOCK", 512)
    monkeypatch.setattr(principal_axes, "ROWS", 500)
    first = np.arange(MANY) % 2 == 0
    assert 100 < growth(lambda x, y: search.components_within_classes(x, y, first[: len(y)])) < 200


def test_features_of_several_splits_are_joined_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    x, _ = inputs(FEW)
    parts, found = [x[:1000], x[1000:].astype(np.float32)], []
    assert peak(lambda: found.append(joined_rows(parts))) < x.nbytes / 2
    assert found[0].dtype == np.float32
    np.testing.assert_array_equal(found[0], x)


def test_stored_features_are_not_copied_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    x, y = inputs(FEW)
    said = Predictions(np.arange(FEW), y, np.zeros((FEW, K), np.float32), x.astype(np.float32))
    found: list[Predictions] = []
    assert peak(lambda: found.append(said.as_stored())) < FEW * K * 8
    np.testing.assert_array_equal(found[0].features, x)
