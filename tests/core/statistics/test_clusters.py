"""Intervals over groups: a second opinion by plain resampling, and what groups cost."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from deepsight.core.statistics.clusters import (
    cluster_bootstrap_macro_f1,
    difference_over_groups_p,
    effective_n,
    effective_sizes,
    excess_over_groups_p,
    worth_of_cells,
)
from deepsight.core.statistics.intervals import macro_f1


def answers(groups: np.ndarray, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions whose accuracy differs between groups by this much."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, len(groups))
    easy = rng.choice([0.7 - spread, 0.7 + spread], groups.max() + 1)[groups]
    return labels, np.where(rng.random(len(groups)) < easy, labels, rng.integers(0, 3, len(groups)))


@pytest.mark.slow
def test_the_interval_is_that_of_resampled_groups():
    groups = np.arange(300) // 10
    labels, predicted = answers(groups, 0.25)
    found = cluster_bootstrap_macro_f1(labels, predicted, 3, groups, draws=2000, seed=0)
    assert found.value == pytest.approx(macro_f1(labels, predicted, 3))
    rng = np.random.default_rng(1)
    sample = []
    for _ in range(600):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(0, 30, 30)])
        sample.append(f1_score(labels[rows], predicted[rows], average="macro"))
    assert (found.low, found.high) == pytest.approx(np.quantile(sample, [0.025, 0.975]), abs=0.012)


def test_images_that_resemble_each_other_are_worth_fewer():
    groups = np.arange(1000) // 20
    alike, unlike = answers(groups, 0.28), answers(groups, 0.0)
    few = effective_n(alike[0] == alike[1], groups)
    many = effective_n(unlike[0] == unlike[1], groups)
    assert 50 <= few < 250
    assert many > 600
    assert effective_n(alike[0] == alike[1], np.arange(1000)) == pytest.approx(1000, rel=0.01)


def test_without_an_error_the_groups_are_counted():
    assert effective_n(np.ones(50, bool), np.arange(50) // 5) == 10
    assert effective_n(np.repeat([True, False], 25), np.arange(50) // 25) == pytest.approx(1.0)


def test_each_cell_is_worth_what_its_images_are():
    groups = np.random.default_rng(3).integers(0, 40, 400)
    labels, predicted = answers(groups, 0.28)
    sizes = effective_sizes(labels, predicted, 3, groups)
    for c in range(3):
        own = labels == c
        for other in range(3):
            assert sizes[c, other] == pytest.approx(effective_n(predicted[own] == other, groups[own]))
    assert worth_of_cells(labels, predicted, 3, None).min() == 1.0
    assert effective_sizes(labels, np.full(400, 1), 3, groups)[0, 2] == len(np.unique(groups[labels == 0]))


def grouped_residuals(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of no mean that groups of ten share, and a kind of image that runs through all groups."""
    rng = np.random.default_rng(seed)
    residual = rng.normal(0, 1, 30).repeat(10) + rng.normal(0, 0.3, 300)
    return residual - residual.mean(), rng.integers(0, 2, 300)


def test_what_groups_share_is_no_excess_of_a_kind_of_image():
    groups = np.arange(300) // 10
    excess, difference = [], []
    for seed in range(200):
        residual, kind = grouped_residuals(seed)
        half = np.arange(300) < 150  # whole groups
        excess.append(excess_over_groups_p(np.where(half, residual, 0.0), groups))
        difference.append(difference_over_groups_p(kind, residual, groups))
    assert np.mean(np.array(excess) < 0.05) < 0.1
    assert np.mean(np.array(difference) < 0.05) < 0.1
    planted = np.where(kind == 1, 0.5, -0.5)
    assert difference_over_groups_p(kind, planted + residual, groups) < 0.01
