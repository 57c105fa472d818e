"""The sample of examined images is unbiased, takes every error, and prefers close calls."""

import numpy as np
import pytest

from deepsight.interpret.levers.examined import capped_chances, choose_examined, closeness


def made(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    return labels, 3 * np.eye(3)[labels] + rng.normal(0, 1.5, (n, 3))


def test_every_error_is_taken_and_the_size_is_kept() -> None:
    labels, logits = made(2000)
    found = choose_examined(labels, logits, 900, seed=0)
    assert found.wrong.sum() == (logits.argmax(axis=1) != labels).sum()
    assert abs(len(found) - 900) <= 1
    assert found.weights[found.wrong].max() == 1
    assert (np.diff(found.rows) > 0).all()


def test_sums_of_the_weights_are_unbiased() -> None:
    labels, logits = made(2000)
    value = np.random.default_rng(5).random(2000) * (1 + closeness(logits))
    totals = []
    for seed in range(200):
        found = choose_examined(labels, logits, 700, seed=seed)
        totals.append(found.weights @ value[found.rows])
    assert np.mean(totals) == pytest.approx(value.sum(), rel=0.01)


def test_close_calls_are_drawn_more_often() -> None:
    labels, logits = made(4000)
    found = choose_examined(labels, logits, 1500, seed=0)
    right = ~found.wrong
    near = closeness(found.logits[right])
    assert found.weights[right][near > 0.8].mean() < found.weights[right][near < 0.2].mean()


def test_where_all_fit_all_are_taken() -> None:
    labels, logits = made(100)
    found = choose_examined(labels, logits, 500, seed=0)
    assert len(found) == 100
    assert (found.weights == 1).all()


def test_errors_that_are_too_many_are_sampled_too() -> None:
    labels = np.zeros(1000, dtype=np.int64)
    logits = np.tile([0.0, 1.0], (1000, 1))
    found = choose_examined(labels, logits, 200, seed=0)
    assert found.errors == pytest.approx(1000, rel=0.02)


def test_chances_sum_to_what_is_asked_and_none_is_above_one() -> None:
    chance = capped_chances(np.array([10.0, 1, 1, 1, 1]), 3)
    assert chance.sum() == pytest.approx(3)
    assert chance.max() == 1
