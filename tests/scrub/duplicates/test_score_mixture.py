"""Known mixtures are recovered; sets without near-duplicates show one component, whatever their scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepsight.scrub.duplicates.score_mixture import (
    FLOORS,
    PRIOR_LENGTH,
    Mixture,
    fisher,
    fit_mixture,
    half_sample_mode,
    look_alike_floor,
)

START = float(fisher(FLOORS[0]))


def drawn(alike: int, same: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of look-alikes (exponential, length 0.1) and of near-duplicates (normal, 0.95 and 0.25)."""
    rng = np.random.default_rng(seed)
    z = np.concatenate([START + 1e-9 + rng.exponential(0.1, alike), rng.normal(0.95, 0.25, same)])
    return np.tanh(z), np.arange(len(z)) >= alike


@pytest.mark.slow
def test_a_known_mixture_is_recovered():
    scores, _ = drawn(9000, 1000)
    mixture = fit_mixture(scores)
    assert mixture.separate
    assert (mixture.length, mixture.shape) == (pytest.approx(0.1, rel=0.05), 1.0)
    assert (mixture.mean, mixture.spread) == (pytest.approx(0.95, rel=0.05), pytest.approx(0.25, rel=0.1))
    assert mixture.share == pytest.approx(0.1, rel=0.1)


@pytest.mark.slow
def test_probabilities_are_calibrated():
    scores, same = drawn(30_000, 6_000, seed=1)
    probability = fit_mixture(scores).probability(scores)
    for low, high in ((0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        band = (probability >= low) & (probability < high)
        assert same[band].mean() == pytest.approx(probability[band].mean(), abs=0.05)


@pytest.mark.parametrize("copies", [3, 12])
def test_a_few_copies_among_few_images_are_found(copies: int):
    scores, same = drawn(60, copies, seed=2)
    flagged = fit_mixture(scores).probability(scores) >= 0.5
    assert flagged[same].sum() >= copies - 1
    assert flagged[~same].sum() == 0


@pytest.mark.parametrize("centre", [0.3, 0.6, 1.1, 1.8])
@pytest.mark.parametrize("spread", [0.15, 0.35])
def test_scores_of_one_kind_are_one_component_however_high(centre: float, spread: float):
    rng = np.random.default_rng(3)
    scores = np.tanh(np.abs(rng.normal(centre, spread, 4000)))
    i, j = rng.integers(0, 1500, (2, 4000))
    mixture = fit_mixture(scores, look_alike_floor(i, j, scores))
    assert not mixture.separate
    assert (mixture.probability(scores) >= 0.5).sum() <= 2


def test_the_floor_is_the_mode_of_pairs_that_are_nobodys_best():
    rng = np.random.default_rng(4)
    i, j = np.arange(2000) % 500, 500 + np.arange(2000) % 499
    scores = np.clip(rng.normal(0.6, 0.08, 2000), 0, 1)
    scores[:400] = 0.97  # copies: the best of their images
    assert look_alike_floor(i, j, scores) == pytest.approx(0.6, abs=0.08)
    assert look_alike_floor(i[:0], j[:0], scores[:0]) == FLOORS[0]


def test_the_half_sample_mode_is_where_a_skewed_sample_is_dense():
    sample = np.random.default_rng(5).gamma(2.0, 1.0, 20_000)
    assert half_sample_mode(sample) == pytest.approx(1.0, abs=0.35)
    assert half_sample_mode(np.array([3.0])) == 3.0


def test_no_scores_give_the_prior():
    mixture = fit_mixture(np.empty(0))
    assert not mixture.separate
    assert mixture.length == pytest.approx(PRIOR_LENGTH)


def test_densities_integrate_to_their_shares():
    mixture = Mixture(0.3, 0.2, 1.5, 1.0, 0.3, 0.25)
    z = np.linspace(0, 8, 80_001)
    same, alike = mixture.densities(z)
    start = z >= fisher(0.3)
    assert same.sum() * 1e-4 == pytest.approx(0.25, abs=1e-3)
    assert alike[start].sum() * 1e-4 == pytest.approx(0.75, abs=1e-3)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(arrays(np.float64, st.integers(0, 80), elements=st.floats(0, 1)))
def test_a_higher_score_is_never_less_sure(scores):
    probability = fit_mixture(scores).probability(np.linspace(0, 1, 60))
    assert np.isfinite(probability).all()
    assert (np.diff(probability) >= -1e-12).all()
    assert 0 <= probability[0] <= probability[-1] <= 1
