"""Known mixtures are recovered, probabilities are calibrated, and few scores lean on the prior."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepsight.scrub.duplicates.score_mixture import FLOOR, PRIOR_POWER, PRIOR_RATE, PRIOR_SHARE, fit_mixture


def drawn(alike: int, twins: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    low = rng.exponential(1 / 12, alike * 2)
    x = np.concatenate([low[low < 1][:alike], rng.beta(5, 1, twins)])
    return FLOOR + x * (1 - FLOOR), np.arange(len(x)) >= alike


def test_a_known_mixture_is_recovered():
    scores, _ = drawn(9000, 1000)
    mixture = fit_mixture(scores)
    assert mixture.rate == pytest.approx(12, rel=0.05)
    assert mixture.power == pytest.approx(5, rel=0.1)
    assert mixture.share == pytest.approx(0.1, rel=0.1)


@pytest.mark.slow
def test_probabilities_are_calibrated():
    scores, twin = drawn(90_000, 10_000, seed=1)
    probability = fit_mixture(scores).probability(scores)
    for low, high in ((0.1, 0.5), (0.5, 0.9), (0.9, 1.0)):
        band = (probability >= low) & (probability < high)
        assert twin[band].mean() == pytest.approx(probability[band].mean(), abs=0.05)


def test_without_near_duplicates_nearly_nothing_is_flagged():
    scores, _ = drawn(5000, 0)
    assert (fit_mixture(scores).probability(scores) >= 0.5).sum() <= 2


def test_no_scores_give_the_prior():
    mixture = fit_mixture(np.empty(0))
    received = (mixture.rate, mixture.power, mixture.share)
    assert received == pytest.approx((PRIOR_RATE, PRIOR_POWER, PRIOR_SHARE))


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, st.integers(0, 80), elements=st.floats(0, 1)))
def test_a_higher_score_is_never_less_sure(scores):
    probability = fit_mixture(scores).probability(np.linspace(0, 1, 60))
    assert np.isfinite(probability).all()
    assert (np.diff(probability) >= -1e-12).all()
    assert 0 <= probability[0] <= probability[-1] <= 1
