"""The likelihood of labels at the best scale of the scores."""

import numpy as np
import pytest
from scipy.special import log_softmax

from deepsight.core.statistics.scale_free_likelihood import CHANCE, scale_free_likelihood

K, N = 4, 60
LABELS = np.arange(N) % K


def scores(strength: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, K)) + strength * np.eye(K)[LABELS]


@pytest.mark.parametrize("strength", [0.3, 1.0, 2.0, 8.0])
def test_it_is_the_maximum_over_a_grid_of_factors(strength: float) -> None:
    logits = scores(strength)
    share = N / (N + CHANCE)
    values = []
    for factor in np.geomspace(0.01, 100, 4001):
        log_p = log_softmax(factor * logits, axis=1)
        values.append(share * log_p[np.arange(N), LABELS].mean() + (1 - share) * log_p.mean())
    assert scale_free_likelihood(logits, LABELS) == pytest.approx(max(values), abs=1e-5)


@pytest.mark.parametrize("factor", [1e-6, 0.1, 300.0])
def test_neither_scale_nor_a_constant_counts(factor: float) -> None:
    logits = scores(1.0)
    moved = factor * (logits + np.arange(N)[:, None])
    assert scale_free_likelihood(moved, LABELS) == pytest.approx(scale_free_likelihood(logits, LABELS))


def test_scores_that_are_always_right_still_differ() -> None:
    found = [scale_free_likelihood(scores(strength), LABELS) for strength in (6.0, 8.0, 12.0)]
    assert all((scores(s).argmax(axis=1) == LABELS).all() for s in (6.0, 8.0, 12.0))
    assert found == sorted(found)
    assert found[0] < found[-1] < 0


@pytest.mark.parametrize("logits", [np.zeros((N, K)), -scores(5.0), np.eye(K)[(LABELS + 1) % K]])
def test_scores_that_say_nothing_are_at_chance(logits: np.ndarray) -> None:
    assert scale_free_likelihood(logits, LABELS) == -np.log(K)


def test_one_image_and_one_row_that_dwarfs_the_others() -> None:
    assert -np.log(2) < scale_free_likelihood(np.array([[1.0, 0.0]]), np.array([0])) < 0
    logits = scores(1.0)
    logits[0] *= 1e8
    assert np.isfinite(scale_free_likelihood(logits, LABELS))
