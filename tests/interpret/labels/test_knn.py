"""Neighbours: the blocked search against scikit-learn, and what their neighbour_vote says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from deepsight.interpret.labels.knn import (
    NONE,
    Neighbours,
    largest_columns,
    nearest_neighbours,
    neighbour_vote,
    unit_features,
)


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(1, 1, size=(300, 24)).astype(np.float32)


@pytest.mark.parametrize("block", [37, 1024])
def test_neighbours_are_those_of_brute_force(features: np.ndarray, block: int) -> None:
    centred = features - features.mean(axis=0)
    peer = NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute").fit(centred)
    distance, rows = peer.kneighbors(centred)
    found = nearest_neighbours(features, count=5, block=block, seed=0)
    assert np.array_equal(found.rows, rows[:, 1:])
    assert found.cosine == pytest.approx(1 - distance[:, 1:], abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_largest_are_those_of_a_full_sort(n: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).permutation(n * 3).reshape(3, n).astype(np.float32)
    assert np.array_equal(largest_columns(values, count), np.argsort(-values, axis=1)[:, :count])


@pytest.mark.slow
def test_compaction_keeps_what_principal_components_keep(features: np.ndarray) -> None:
    low = PCA(8).fit_transform(features)
    low /= np.linalg.norm(low, axis=1, keepdims=True)
    ours = unit_features(features, 8)
    assert ours @ ours.T == pytest.approx(low @ low.T, abs=1e-4)


def test_all_rows_find_neighbours_among_a_sample(features: np.ndarray) -> None:
    found = nearest_neighbours(features, count=5, references=100, seed=0)
    among = np.unique(found.rows)
    assert len(among) <= 100
    assert (found.rows != np.arange(300)[:, None]).all()
    again = nearest_neighbours(features, count=5, references=100, seed=1)
    assert not np.array_equal(among, np.unique(again.rows))


def test_a_twin_is_the_first_neighbour_and_the_row_itself_is_none(features: np.ndarray) -> None:
    twice = np.vstack([features, features])
    found = nearest_neighbours(twice, count=3, seed=0)
    assert np.array_equal(found.rows[:300, 0], np.arange(300, 600))
    assert found.cosine[:, 0] == pytest.approx(1, abs=1e-5)


def test_few_rows_have_few_neighbours() -> None:
    assert nearest_neighbours(np.eye(4), count=20, seed=0).rows.shape == (4, 3)


def test_votes_weigh_by_similarity_and_the_prior_fills_in() -> None:
    neighbours = Neighbours(np.array([[1, 2], [0, 2], [0, 1]]), np.array([[0.5, 0.25], [0.5, -1], [0, 0]]))
    found = neighbour_vote(neighbours, np.array([0, 0, 1]), 2, prior_votes=1)
    assert found[0] == pytest.approx(np.array([0.5 + 2 / 3, 0.25 + 1 / 3]) / 1.75)
    assert found[1] == pytest.approx(np.array([0.5 + 2 / 3, 1 / 3]) / 1.5)
    assert found[2] == pytest.approx([2 / 3, 1 / 3])


def test_rows_of_one_group_are_not_neighbours(features: np.ndarray) -> None:
    groups = np.arange(300) % 60
    found = nearest_neighbours(np.vstack([features, features]), groups=np.tile(groups, 2), count=5, seed=0)
    assert (np.tile(groups, 2)[found.rows] != np.tile(groups, 2)[:, None]).all()
    single = nearest_neighbours(features, count=299, groups=np.arange(300), seed=0)
    assert np.array_equal(single.rows, nearest_neighbours(features, count=299, seed=0).rows)
    wanted = [[j for j in row if groups[j] != groups[i]][:5] for i, row in enumerate(single.rows.tolist())]
    assert np.array_equal(nearest_neighbours(features, count=5, groups=groups, seed=0).rows, wanted)


def test_a_group_without_others_has_no_votes() -> None:
    features = np.random.default_rng(1).normal(size=(6, 3))
    found = nearest_neighbours(features, count=4, groups=np.array([0, 0, 0, 0, 0, 1]), seed=0)
    assert (found.cosine[:5, 1:] == NONE).all()
    labels = np.array([0, 0, 1, 1, 1, 1])
    assert neighbour_vote(
        nearest_neighbours(features, groups=np.zeros(6, np.int64), seed=0), labels, 2
    ) == pytest.approx(np.tile([1 / 3, 2 / 3], (6, 1)))
