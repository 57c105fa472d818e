"""Insertion and deletion curves on a model that reads one quarter of the image."""

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.interpret.faithfulness.checks import insertion_deletion_checks
from deepsight.interpret.faithfulness.insertion_deletion import (
    BASELINES,
    affordable_images,
    baseline_importance,
    curve_mean,
    predictions_for,
    probability_of,
    steps_for,
    upsampled,
)


def reads_top_left(images: np.ndarray) -> np.ndarray:
    """Two logits; the first is above 0 as long as the top left quarter is bright."""
    bright = images[:, :16, :16].mean(axis=(1, 2, 3)) / 32 - 2
    return np.stack([bright, -bright], axis=1)


@pytest.fixture
def white() -> np.ndarray:
    return np.full((6, 32, 32, 3), 255, dtype=np.uint8)


def test_the_right_order_deletes_faster_than_the_wrong_one(white: np.ndarray) -> None:
    right = np.zeros((6, 32, 32))
    right[:, :16, :16] = 1
    zero, classes = np.zeros_like(white), np.zeros(6, dtype=np.int64)
    fast, slow = (
        curve_mean(white, zero, order, classes, reads_top_left, steps=16) for order in (right, -right)
    )
    assert (fast < 0.25).all()
    assert (slow > 0.75).all()


def test_curve_by_hand(white: np.ndarray) -> None:
    order = np.random.default_rng(0).random((6, 32, 32))
    zero, classes = np.zeros_like(white), np.zeros(6, dtype=np.int64)
    expected = np.zeros(6)
    for i in range(6):
        ranked = np.argsort(-order[i].ravel())
        for step in (1, 2, 3):
            image = white[i].reshape(-1, 3).copy()
            image[ranked[: 1024 * step // 4]] = 0
            logits = reads_top_left(image.reshape(1, 32, 32, 3))[0]
            expected[i] += np.exp(logits[0]) / np.exp(logits).sum() / 3
    found = curve_mean(white, zero, order, classes, reads_top_left, steps=4)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_probability_is_the_softmax() -> None:
    logits = np.array([[1000.0, 1000.0], [0.0, np.log(3)]])
    np.testing.assert_allclose(probability_of(logits, np.array([0, 1])), [0.5, 0.75])


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_do_not_move_under_a_seed(name: str, cifar10: tuple[Dataset, Dataset]) -> None:
    images = cifar10[1].pixels(slice(0, 4))
    first, second = (baseline_importance(name, images, cells=(4, 4), seed=2) for _ in range(2))
    assert first.shape == (4, 32, 32)
    assert np.array_equal(first, second)


def test_centre_is_in_the_centre() -> None:
    order = baseline_importance("centre", np.zeros((1, 32, 32, 3), np.uint8), cells=(4, 4), seed=0)[0]
    assert order[15:17, 15:17].min() == order.max()
    assert order.min() == order[0, 0]


def test_random_maps_are_as_coarse_as_the_maps_under_test() -> None:
    order = baseline_importance("random order", np.zeros((50, 32, 32, 3), np.uint8), cells=(4, 4), seed=0)
    neighbours = np.corrcoef(order[:, :, 1:].ravel(), order[:, :, :-1].ravel())[0, 1]
    assert neighbours > 0.9


def test_importance_keeps_the_place_of_the_peak() -> None:
    maps = np.zeros((1, 4, 4))
    maps[0, 1, 2] = 1
    y, x = np.unravel_index(upsampled(maps, 32, 32)[0].argmax(), (32, 32))
    assert (y // 8, x // 8) == (1, 2)


@pytest.mark.parametrize("steps", [2, 8])
def test_predictions_are_counted_as_they_are_made(white: np.ndarray, steps: int) -> None:
    seen = []

    def counting(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return reads_top_left(images)

    insertion_deletion_checks(np.ones((6, 4, 4)), white, np.zeros(6, dtype=np.int64), counting, steps=steps)
    assert sum(seen) == 6 * predictions_for(steps)


@pytest.mark.parametrize("predictions", [100, 2000, 28_999, 124_999, 125_000, 1_000_000])
def test_what_can_be_afforded_is_not_overspent(predictions: int) -> None:
    images = affordable_images(predictions)
    assert images * predictions_for(steps_for(images)) <= predictions
    assert affordable_images(predictions + 300) >= images
