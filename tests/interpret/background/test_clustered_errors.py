"""Intervals over objects and donors: formula by loops, and coverage where the truth is known."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

from deepsight.interpret.background.clustered_errors import (
    Estimate,
    cluster_variance,
    clustered_estimate,
    difference_of_means,
)


def crossed(rng: np.random.Generator, *, spread: float = 1.0) -> tuple[np.ndarray, ...]:
    """40 objects with 4 treated and 4 other donors each, of 30 donors; true difference 0.5."""
    rows = np.repeat(np.arange(40), 8)
    treated = np.tile(np.arange(8) < 4, 40)
    columns = rng.integers(30, size=320)
    of_row, of_column = rng.normal(0, spread, 40), rng.normal(0, spread, 30)
    slope = rng.normal(0, spread / 2, 40)
    outcome = of_row[rows] + of_column[columns] + (0.5 + slope[rows]) * treated + rng.normal(size=320)
    return outcome, treated, rows, columns


def test_cluster_variance_by_loops() -> None:
    rng = np.random.default_rng(0)
    part, cluster = rng.normal(size=50), rng.integers(7, size=50)
    groups = np.unique(cluster)
    expected = sum(sum(part[i] for i in range(50) if cluster[i] == g) ** 2 for g in groups)
    assert cluster_variance(part, cluster) == pytest.approx(expected * len(groups) / (len(groups) - 1))


def test_without_clusters_it_is_the_t_test() -> None:
    rng = np.random.default_rng(1)
    outcome, treated = rng.normal(size=400), np.arange(400) % 2 == 0
    value, part = difference_of_means(outcome, treated)
    own = np.arange(400)
    found = clustered_estimate(value, part, own, own)
    other = ttest_ind(outcome[treated], outcome[~treated], equal_var=False)
    assert found.value == pytest.approx(outcome[treated].mean() - outcome[~treated].mean())
    assert found.error == pytest.approx(found.value / other.statistic, rel=0.01)
    assert found.p_above(0) == pytest.approx(
        other.pvalue / 2 if found.value > 0 else 1 - other.pvalue / 2, rel=0.05
    )


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        outcome, treated, rows, columns = crossed(rng)
        _, low, high = clustered_estimate(*difference_of_means(outcome, treated), rows, columns).interval()
        covered += low <= 0.5 <= high
    assert 0.92 <= covered / 400 <= 0.985


def test_outcomes_all_alike_do_not_give_certainty() -> None:
    rows = np.repeat(np.arange(100), 2)
    found = clustered_estimate(
        *difference_of_means(np.ones(200), np.tile([True, False], 100)), rows, np.arange(200)
    )
    assert found.value == 0
    assert found.interval().high == pytest.approx(3 / 100, rel=0.02)  # the rule of three


def test_p_and_interval_agree() -> None:
    found = Estimate(0.10, 0.02, 50)
    low = found.interval().low
    assert found.p_above(low) == pytest.approx(0.025)
    assert found.minimum_detectable == pytest.approx(0.056, abs=0.001)
