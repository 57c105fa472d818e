"""The distance against scikit-learn, and a planted stranger."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from deepsight.interpret.slices.training_distance import training_distance

RNG = np.random.default_rng(0)
TRAINING = RNG.normal(size=(400, 12)).astype(np.float32) + 3
FEATURES = RNG.normal(size=(50, 12)).astype(np.float32) + 3


def test_distances_are_those_of_scikit_learn() -> None:
    centre = TRAINING.mean(axis=0)
    near = NearestNeighbors(n_neighbors=10, metric="cosine").fit(TRAINING - centre)
    expected = near.kneighbors(FEATURES - centre)[0].mean(axis=1)
    assert training_distance(FEATURES, TRAINING) == pytest.approx(expected, abs=1e-5)


def test_blocks_change_nothing_and_half_precision_little() -> None:
    whole = training_distance(FEATURES, TRAINING)
    assert training_distance(FEATURES, TRAINING, block=7) == pytest.approx(whole, abs=1e-6)
    half = training_distance(FEATURES.astype(np.float16), TRAINING.astype(np.float16))
    assert half == pytest.approx(whole, abs=0.01)


def test_an_image_unlike_all_training_images_is_farthest() -> None:
    kinds = 8 * np.eye(12, dtype=np.float32)
    images = kinds[np.arange(60) % 2] + TRAINING[:60] - 3
    images[55] = kinds[5]
    assert training_distance(images[50:], images[:50]).argmax() == 5


def test_one_neighbour_of_a_training_image_is_itself() -> None:
    assert training_distance(TRAINING[:20], TRAINING, count=1) == pytest.approx(np.zeros(20), abs=1e-5)


def test_few_training_images_are_all_neighbours() -> None:
    assert np.isfinite(training_distance(FEATURES, TRAINING[:4], dimensions=3)).all()
