"""Folds hold every row once, every class evenly, and no group twice."""

import tracemalloc

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.folds import held_out_folds


def test_each_class_is_spread_evenly():
    labels = np.repeat(np.arange(4), [50, 20, 7, 1])
    fold = held_out_folds(labels, 5, seed=0)
    counts = np.array([np.bincount(labels[fold == f], minlength=4) for f in range(5)])
    assert (counts.sum(axis=0) == [50, 20, 7, 1]).all()
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert (np.ptp(counts.sum(axis=1))) <= 3
    assert (held_out_folds(labels, 5, seed=0) == fold).all()
    assert (held_out_folds(labels, 5, seed=1) != fold).any()


def test_the_counts_of_a_class_differ_by_one_at_most_and_so_do_the_folds():
    labels = np.repeat([0, 1, 2], [50, 25, 10])
    fold = held_out_folds(labels, 5, seed=0)
    assert [np.bincount(labels[fold == f], minlength=3).tolist() for f in range(5)] == [[10, 5, 2]] * 5
    two = held_out_folds(np.array([0] * 8 + [1] * 2), 5, seed=0)
    assert two[8] != two[9]
    assert (held_out_folds(labels, 1, seed=0) == 0).all()


def test_groups_stay_together():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 200)
    labels = groups % 3
    fold = held_out_folds(labels, 4, groups=groups, seed=0)
    assert all(len(np.unique(fold[groups == g])) == 1 for g in range(30))
    for f in range(4):
        assert len(np.unique(labels[fold == f])) == 3


def test_many_images_of_many_classes_need_no_table_of_both():
    labels = np.arange(4_000) % 1_000
    tracemalloc.start()
    fold = held_out_folds(labels, 4, seed=0)
    assert tracemalloc.get_traced_memory()[1] < 4_000 * 1_000 * 8 / 4
    tracemalloc.stop()
    assert (np.bincount(fold) == 1_000).all()


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(DeepSightError, match="Expected 1 to 2 folds of 2 groups, received 5"):
        held_out_folds(np.arange(10) % 2, 5, groups=np.arange(10) // 5, seed=0)


@pytest.mark.parametrize("folds", [0, 4])
def test_folds_that_cannot_be_are_refused(folds):
    with pytest.raises(DeepSightError, match=f"Expected 1 to 3 folds of 3 images, received {folds}"):
        held_out_folds(np.array([0, 1, 1]), folds, seed=0)
