"""What the study of labels keeps grows with the number of images by a few hundred bytes each, not as n²."""

import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from deepsight.interpret.labels.cross_validation import out_of_fold_probabilities
from deepsight.interpret.labels.knn import nearest_neighbours, neighbour_vote

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


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_memory_grows_with_the_number_of_images(step: str) -> None:
    few, many = (peak(partial(STEPS[step], *inputs(n))) for n in (FEW, MANY))
    a_row = (many - few) / (MANY - FEW)
    assert 100 < a_row < BYTES_A_ROW[step]
