"""Groups keep their names' equality, and images without a group stand alone, also where parts are joined."""

import numpy as np

from deepsight.core.groups import groups_by_name, joined_groups


def test_equal_names_are_one_group_and_empty_ones_are_none():
    found = groups_by_name(["anna", "", "ben", "anna", "", "10", "1"])
    same = found[:, None] == found
    assert same.sum() == 7 + 2
    assert same[0, 3]
    assert len(groups_by_name([])) == 0


def test_an_image_of_a_part_without_groups_stands_alone_whatever_the_numbers_are():
    """Also beside negative numbers and large ones."""
    for first in (np.array([-1, -1, -3]), np.array([7, 7, 10**12]), np.array([0, 0, 1])):
        found = joined_groups([None, first, None], [2, 3, 2])
        assert found is not None
        assert np.array_equal(found[2:5], first)
        assert len(np.unique(found)) == 2 + 2 + 2


def test_a_number_means_the_same_group_in_all_parts():
    found = joined_groups([np.array([4, 5]), np.array([5, 6])], [2, 2])
    assert found is not None
    assert found.tolist() == [4, 5, 5, 6]
    assert joined_groups([None, None], [2, 3]) is None
    assert joined_groups([], []) is None
