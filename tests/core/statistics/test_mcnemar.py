"""McNemar's test against the exact binomial test, and its interval against made test sets."""

import numpy as np
import pytest
from scipy.stats import binomtest

from deepsight.core.statistics.mcnemar import discordance_p, grouped_mcnemar, mcnemar


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 9), (12, 12), (0, 24)])
def test_mcnemar_is_exact_below_25_discordant(b: int, c: int) -> None:
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert discordance_p(b, c) == pytest.approx(expected)


def test_mcnemar_is_near_the_exact_test_above() -> None:
    assert discordance_p(130, 170) == pytest.approx(binomtest(130, 300).pvalue, abs=0.005)


def test_mcnemar_counts_and_states_what_could_be_seen() -> None:
    labels = np.zeros(10_000, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[:180] = 1
    second[100:220] = 1
    found = mcnemar(labels, first, second)
    assert (found.only_first, found.only_second) == (40, 100)
    assert found.difference == pytest.approx(0.006)
    assert found.p_value < 0.001
    assert found.difference > found.threshold


def test_300_discordant_of_10000_have_a_threshold_of_a_third_of_a_point() -> None:
    labels = np.zeros(10_000, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[:150], second[150:300] = 1, 1
    assert mcnemar(labels, first, second).threshold == pytest.approx(0.0034, abs=0.00005)


@pytest.mark.slow
def test_the_interval_of_a_paired_difference_covers_it() -> None:
    """400 made test sets of 60 images with a true difference of 5 points; 92 % is four errors below 95 %."""
    rng = np.random.default_rng(3)
    labels = np.zeros(60, dtype=np.int64)
    covered = 0
    for _ in range(400):
        kind = rng.choice(4, size=60, p=[0.05, 0.1, 0.05, 0.8])
        found = mcnemar(labels, np.isin(kind, [1, 2]) * 1, np.isin(kind, [0, 2]) * 1)
        covered += found.low <= 0.05 <= found.high
    assert 0.915 <= covered / 400 <= 0.985
    none = mcnemar(labels, labels, labels)
    assert none.low < 0 < none.high


def test_images_of_one_group_are_one_opinion():
    labels = np.zeros(200, dtype=np.int64)
    first, second = np.zeros(200, dtype=np.int64), np.zeros(200, dtype=np.int64)
    first[:40] = 1  # mended by the second model, all of one patient
    alone, patient = np.arange(200), np.where(np.arange(200) < 40, 0, np.arange(200))
    each = grouped_mcnemar(labels, first, second, alone)
    assert each.p_value == pytest.approx(mcnemar(labels, first, second).p_value, abs=1e-6)
    assert (each.low, each.high) == pytest.approx(
        (mcnemar(labels, first, second).low, mcnemar(labels, first, second).high),
        abs=0.002,
    )
    together = grouped_mcnemar(labels, first, second, patient)
    assert together.p_value > 0.2
    assert together.low < 0 < together.difference == each.difference
    assert grouped_mcnemar(labels, first, first, patient).p_value == 1.0
