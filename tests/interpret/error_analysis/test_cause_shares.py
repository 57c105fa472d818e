"""Shares against planted truth: calibrated supports, a sample of the errors, and intervals that hold."""

import numpy as np
import pytest

from deepsight.core.statistics.intervals import wilson
from deepsight.interpret.error_analysis.cause_shares import cause_shares

C = 4


def parts(supports: np.ndarray) -> np.ndarray:
    """What each of three causes takes of what earlier ones leave, and the rest, from supports (e, 3)."""
    left = np.cumprod(1 - supports, axis=1)
    before = np.concatenate([np.ones((len(supports), 1)), left[:, :-1]], axis=1)
    return np.concatenate([supports * before, left[:, -1:]], axis=1)


def errors(n: int, seed: int) -> np.ndarray:
    """Errors with supports that vary, few of them above a half: mean shares 0.1, 0.18, 0.216 and 0.504."""
    rng = np.random.default_rng(seed)
    return parts(np.stack([rng.beta(0.5, 4.5, n), rng.beta(1, 4, n), rng.beta(0.6, 1.4, n)], axis=1))


TRUTH = np.array([0.1, 0.18, 0.72 * 0.3, 0.72 * 0.7])


def test_complete_shares_are_mean_probabilities() -> None:
    found = cause_shares(errors(300, 0))
    assert found.share == pytest.approx(errors(300, 0).mean(axis=0))
    assert found.share.sum() == pytest.approx(1)
    assert ((found.low <= found.share) & (found.share <= found.high)).all()


def test_certain_supports_have_the_interval_of_counts() -> None:
    """200 errors, 50 of one cause for certain: Wilson's interval of 50 / 200."""
    certain = np.zeros((200, C))
    certain[:50, 1] = certain[50:, 3] = 1
    found = cause_shares(certain)
    assert (found.low[1], found.high[1]) == pytest.approx(tuple(map(float, wilson(50, 200))), abs=0.002)
    assert found.high[0] == pytest.approx(float(wilson(0, 200)[1]))  # the rule of three


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 800])
def test_intervals_cover_the_true_shares(n: int) -> None:
    """95 % over 300 samples of errors; 91 % is three errors below that."""
    found = [cause_shares(errors(n, seed)) for seed in range(300)]
    covered = np.mean([(f.low <= TRUTH) & (f.high >= TRUTH) for f in found], axis=0)
    assert (covered >= 0.91).all()
    assert (covered <= 0.99).all()


def test_what_was_not_looked_at_does_not_fall_to_later_causes() -> None:
    """The third cause is looked for in a tenth of 800 errors; its share speaks for all."""
    held, shares = [], []
    for seed in range(200):
        sample = errors(800, seed)
        sample[80:, 2:] = np.nan
        found = cause_shares(sample)
        held.append((found.low <= TRUTH) & (found.high >= TRUTH))
        shares.append(found.share)
    assert np.mean(shares, axis=0) == pytest.approx(TRUTH, abs=0.006)
    assert np.sum(shares, axis=1) == pytest.approx(np.ones(200))
    assert (np.mean(held, axis=0) >= 0.91).all()
    assert cause_shares(sample).high[2] - cause_shares(sample).low[2] > 0.05


def test_no_error_and_one_error_are_survived() -> None:
    nothing = cause_shares(np.empty((0, C)))
    assert nothing.high.tolist() == [1] * C
    one = cause_shares(np.array([[0, 0, 1.0, 0]]))
    assert one.share.tolist() == [0, 0, 1, 0]
    assert 0 < one.low[2] < 1
