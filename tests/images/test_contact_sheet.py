"""A tile stands at its place, and nothing is lost."""

import cv2
import numpy as np
import pytest

from deepsight.images import contact_sheet


def noise(n: int, side: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("n", [1, 32, 33, 70])
def test_a_tile_stands_at_its_place(n: int):
    tiles = noise(n)
    made = contact_sheet.contact_sheet(tiles)
    side = made.shape[1] // contact_sheet.ACROSS
    for place in range(n):
        top, left = side * (place // contact_sheet.ACROSS), side * (place % contact_sheet.ACROSS)
        np.testing.assert_array_equal(made[top : top + side, left : left + side], tiles[place])


def test_large_images_are_shrunk_and_none_is_a_black_line():
    assert contact_sheet.contact_sheet(noise(2, 100)).shape == (64, 64 * contact_sheet.ACROSS, 3)
    assert not contact_sheet.contact_sheet(noise(0)).any()


def test_a_sheet_is_kept_without_loss():
    made = contact_sheet.contact_sheet(noise(40, 32))
    back = cv2.imdecode(np.frombuffer(contact_sheet.webp_sheet(made), np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(back, made)


def test_near_duplicates_stand_in_threes():
    first, second, difference = noise(3), noise(3, seed=1), noise(3, seed=2)
    tiles = contact_sheet.pair_tiles(first, second, difference)
    np.testing.assert_array_equal(tiles[0::3], first)
    np.testing.assert_array_equal(tiles[1::3], second)
    np.testing.assert_array_equal(tiles[2::3], difference)
