"""No group on both sides, every class on both where groups allow it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepsight.core.errors import DeepSightError
from deepsight.core.group_split import grouped_rows


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(5, 30), st.integers(2, 4), st.integers(0, 5))
def test_groups_stay_together_and_classes_on_both_sides(count, k, seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(count), rng.integers(k, 12, count))
    labels = np.concatenate([np.arange(n) % k for n in np.bincount(groups)])
    kept, held = grouped_rows(labels, groups, share=0.2, seed=seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert not set(groups[kept]) & set(groups[held])
    assert set(labels[kept]) == set(labels[held]) == set(range(k))
    again = grouped_rows(labels, groups, share=0.2, seed=seed)[1]
    np.testing.assert_array_equal(held, again)


def test_a_class_in_one_group_is_left_to_training():
    labels = np.r_[np.zeros(40, int), np.ones(40, int), np.full(5, 2)]
    groups = np.r_[np.arange(40) // 5, np.arange(40) // 5, np.full(5, 99)]
    kept, held = grouped_rows(labels, groups, share=0.2, seed=0)
    assert set(labels[kept]) == {0, 1, 2}
    assert set(labels[held]) == {0, 1}


def test_a_small_share_of_few_images_can_still_be_held_out():
    labels = np.array([0, 0, 1, 1])
    kept, held = grouped_rows(labels, np.arange(4), share=0.1, seed=0)
    assert sorted([*kept, *held]) == [0, 1, 2, 3]
    assert set(labels[kept]) == {0, 1}


def test_classes_of_one_image_cannot_be_split():
    with pytest.raises(DeepSightError, match="images of every class to learn from"):
        grouped_rows(np.arange(4), np.arange(4), share=0.2, seed=0)


@pytest.mark.parametrize("groups", [np.zeros(6, int), np.array([0, 0, 0, 1, 1, 1])])
def test_too_few_groups_are_refused(groups):
    with pytest.raises(DeepSightError, match="groups"):
        grouped_rows(np.array([0, 0, 0, 1, 1, 1]), groups, share=0.2, seed=0)
