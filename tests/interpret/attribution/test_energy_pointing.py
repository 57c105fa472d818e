"""Shares on maps whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from deepsight.interpret.attribution.energy_pointing import (
    correct_for_mask_errors,
    energy_pointing,
    mirror_agreement,
    peak_inside,
)


def test_share_counts_positive_evidence_only() -> None:
    maps = np.array([[[3.0, 1.0], [-5.0, 0.0]], [[-1.0, -1.0], [0.0, 0.0]]])
    cover = np.array([[[1.0, 0.0], [1.0, 1.0]]] * 2)
    share = energy_pointing(maps, cover)
    assert share[0] == pytest.approx(0.75)
    assert np.isnan(share[1])


def test_an_even_map_has_the_share_of_the_area() -> None:
    cover = np.random.default_rng(0).uniform(size=(5, 4, 4))
    np.testing.assert_allclose(energy_pointing(np.ones((5, 4, 4)), cover), cover.mean(axis=(1, 2)))


def test_peak_inside() -> None:
    maps = np.zeros((2, 3, 3))
    maps[0, 1, 1] = maps[1, 0, 2] = 1
    cover = np.zeros((2, 3, 3))
    cover[:, 1, 1] = 0.6
    assert peak_inside(maps, cover).tolist() == [True, False]


def test_mirror_agreement_against_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 4, 5))
    expected = [pearsonr(x.ravel(), y[:, ::-1].ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(mirror_agreement(a, b), expected)
    np.testing.assert_allclose(mirror_agreement(a, a[:, :, ::-1]), 1)
    assert np.isnan(mirror_agreement(np.ones((1, 2, 2)), np.ones((1, 2, 2)))).all()


@given(st.floats(0, 1), st.floats(0.6, 1), st.floats(0.6, 1))
def test_correction_inverts_the_mask_s_errors(true: float, s: float, t: float) -> None:
    observed = np.array([true * s + (1 - true) * (1 - t)])
    assert correct_for_mask_errors(observed, s, t)[0] == pytest.approx(true, abs=1e-9)


def test_a_mask_no_better_than_chance_corrects_nothing() -> None:
    assert np.isnan(correct_for_mask_errors(np.array([0.4]), 0.5, 0.5)).all()
