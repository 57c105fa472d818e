"""What is looked at stands where the table says."""

import cv2
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.interpret import gallery

CLASSES = ("a", "b", "c")


def noise(n: int, side: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_errors_are_exactly_the_misclassified(seed: int, n: int):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    probabilities = rng.dirichlet(np.ones(3), n)
    ids = rng.permutation(1000)[:n]
    frame = gallery.errors(ids, labels, probabilities, CLASSES).frame
    assert set(frame["index"]) == {
        i for i, y, p in zip(ids, labels, probabilities, strict=True) if np.argmax(p) != y
    }
    assert frame["confidence"].is_sorted(descending=True)
    assert (frame["true"] != frame["predicted"]).all()


def test_what_the_limit_leaves_out_is_the_least_confident_and_said():
    probabilities = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.8, 0.2, 0]])
    table = gallery.errors(np.arange(3), np.ones(3, dtype=np.int64), probabilities, CLASSES, limit=2)
    assert table.frame["index"].to_list() == [0, 2]
    assert "the 2 most confident" in table.caption


@pytest.mark.parametrize("n", [1, 32, 33, 70])
def test_a_tile_stands_at_its_place(n: int):
    tiles = noise(n)
    made = gallery.sheet(tiles)
    side = made.shape[1] // gallery.ACROSS
    for place in range(n):
        top, left = side * (place // gallery.ACROSS), side * (place % gallery.ACROSS)
        np.testing.assert_array_equal(made[top : top + side, left : left + side], tiles[place])


def test_large_images_are_shrunk_and_none_is_a_black_line():
    assert gallery.sheet(noise(2, 100)).shape == (64, 64 * gallery.ACROSS, 3)
    assert not gallery.sheet(noise(0)).any()


def test_a_sheet_is_kept_without_loss():
    made = gallery.sheet(noise(40, 32))
    back = cv2.imdecode(np.frombuffer(gallery.encode(made), np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(back, made)


def test_twins_stand_in_threes():
    first, second, difference = noise(3), noise(3, seed=1), noise(3, seed=2)
    tiles = gallery.twin_tiles(first, second, difference)
    np.testing.assert_array_equal(tiles[0::3], first)
    np.testing.assert_array_equal(tiles[1::3], second)
    np.testing.assert_array_equal(tiles[2::3], difference)


def test_suspects_are_the_flagged_ones_surest_first():
    frame = pl.DataFrame(
        {
            "split": ["test"] * 4,
            "index": [1, 2, 3, 4],
            "score": [0.2, 0.9, 0.8, 0.95],
            "flagged": [True, True, True, False],
        }
    )
    assert gallery.suspects(frame)["index"].to_list() == [2, 3, 1]
    assert gallery.suspects(frame, limit=1)["index"].to_list() == [2]


def test_twins_are_the_surest_flagged_pair_of_each_cluster_those_of_test_first():
    frame = pl.DataFrame(
        {
            "split_a": ["train", "train", "train", "train"],
            "index_a": [1, 2, 5, 7],
            "split_b": ["train", "test", "test", "test"],
            "index_b": [3, 4, 6, 8],
            "score": [0.9, 0.5, 0.99, 0.4],
            "flagged": [True, True, False, True],
            "cluster": [0, 1, None, 1],
        }
    )
    assert gallery.twins(frame)["index_a"].to_list() == [2, 1]
    assert gallery.twins(frame).columns == frame.columns
