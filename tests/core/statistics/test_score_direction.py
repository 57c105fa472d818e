"""Losses and distances are no scores; a bad model, a shuffled file and exchanged columns are no losses."""

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import binomtest

from deepsight.core.errors import UsageError
from deepsight.core.statistics.score_direction import doubt_about_direction, score_direction

N, K = 300, 5


def scores(seed: int, strength: float, k: int = K) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a model, of which this is the advantage of the right class, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, N)
    return rng.normal(size=(N, k)) + strength * np.eye(k)[labels], labels


def distances(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances of points to the centres of their classes."""
    rng = np.random.default_rng(seed)
    centres, labels = 2 * rng.normal(size=(K, 8)), rng.integers(0, K, N)
    points = centres[labels] + rng.normal(size=(N, 8))
    return np.linalg.norm(points[:, None] - centres, axis=2), labels


def losses(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The loss of a model if the label were each class in turn."""
    logits, labels = scores(seed, 2)
    return -log_softmax(logits, axis=1), labels


@pytest.mark.parametrize("made", [losses, distances])
@pytest.mark.parametrize("seed", range(3))
def test_losses_and_distances_are_refused_and_their_negative_is_not(made, seed: int) -> None:
    values, labels = made(seed)
    found = score_direction(values, labels)
    assert found.smallest == pytest.approx((np.argsort(values, axis=1)[:, 0] == labels).mean())
    assert found.certain
    with pytest.raises(UsageError, match=f"{found.smallest:.1%} of 300 rows.*their negative"):
        doubt_about_direction(values, labels)
    assert doubt_about_direction(-values, labels) == ""


def test_a_model_without_knowledge_is_seldom_doubted() -> None:
    """At most 2 of 300, where one false alarm in a thousand is allowed, has a chance above 0.99."""
    doubted = sum(score_direction(*scores(seed, 0.0)).doubtful for seed in range(300))
    assert binomtest(doubted, 300, 0.001, alternative="greater").pvalue > 0.003


def test_losses_that_know_little_are_doubted_but_not_refused() -> None:
    logits, labels = scores(0, 0.7)
    found = score_direction(-logits, labels)
    assert (found.doubtful, found.certain) == (True, False)
    assert "Are these losses or distances?" in doubt_about_direction(-logits, labels)


def test_exchanged_columns_are_no_certain_losses() -> None:
    """Of two classes they look the same; of three, the smallest may be the right one as often as not."""
    for k in (2, 3):
        logits, labels = scores(1, 6, k)
        found = score_direction(np.roll(logits, 1, axis=1), labels)
        assert not found.certain
        assert found.reordered > 0.95
    two, labels = scores(1, 6, 2)
    assert "Or are the columns in another order?" in doubt_about_direction(two[:, ::-1], labels)


def test_a_constant_and_ties_are_no_losses() -> None:
    labels = np.array([0] * 200 + [1] * 50 + [2] * 50)
    same = np.tile([0.0, 1.0, 2.0], (300, 1))
    assert not score_direction(same, labels).doubtful  # the smallest names the largest class, as chance does
    tied = np.eye(3)[(labels + 1) % 3]
    assert score_direction(tied, labels).smallest == 0
    assert not score_direction(np.empty((0, 3)), np.empty(0, dtype=np.int64)).doubtful
