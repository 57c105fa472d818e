"""Folds hold every row once, every class evenly, and no group twice."""

import tracemalloc

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.folds import grouped_folds


def test_each_class_is_spread_evenly():
    labels = np.repeat(np.arange(4), [50, 20, 7, 1])
    fold = grouped_folds(labels, 5, seed=0)
    counts = np.array([np.bincount(labels[fold == f], minlength=4) for f in range(5)])
    assert (counts.sum(axis=0) == [50, 20, 7, 1]).all()
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert (np.ptp(counts.sum(axis=1))) <= 3
    assert (grouped_folds(labels, 5, seed=0) == fold).all()
    assert (grouped_folds(labels, 5, seed=1) != fold).any()


def test_groups_stay_together():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 200)
    labels = groups % 3
    fold = grouped_folds(labels, 4, groups=groups, seed=0)
    assert all(len(np.unique(fold[groups == g])) == 1 for g in range(30))
    for f in range(4):
        assert len(np.unique(labels[fold == f])) == 3


def test_many_images_of_many_classes_need_no_table_of_both():
    labels = np.arange(4_000) % 1_000
    tracemalloc.start()
    fold = grouped_folds(labels, 4, seed=0)
    assert tracemalloc.get_traced_memory()[1] < 4_000 * 1_000 * 8 / 4
    tracemalloc.stop()
    assert (np.bincount(fold) == 1_000).all()


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(DeepSightError, match="at least 5 groups for 5 folds, received 2"):
        grouped_folds(np.arange(10) % 2, 5, groups=np.arange(10) // 5, seed=0)
