"""Which pairs of near-duplicates a reader sees."""

import numpy as np
import polars as pl

from deepsight.scrub.duplicates.pictures import difference_picture, shown_pairs


def test_near_duplicates_are_the_surest_flagged_pair_of_each_cluster_those_of_test_first():
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
    assert shown_pairs(frame)["index_a"].to_list() == [2, 1]
    assert shown_pairs(frame).columns == frame.columns


def test_difference_is_grey_for_near_duplicates_and_shows_what_was_added(cifar10):
    a = cifar10[1].pixels(3)
    b = np.clip(a[:, ::-1] * 0.7 + 20, 0, 255).astype(np.uint8)
    upright = (1.0, 1.0, 0.0, 0.0)
    same = difference_picture(a, b, mirrored=True, placement=upright)
    assert np.abs(same.astype(int) - 128).max() <= 2
    changed = a.copy()
    changed[10:14, 10:14] = 255 - changed[10:14, 10:14]
    shown = np.abs(difference_picture(changed, b, mirrored=True, placement=upright).astype(int) - 128)
    assert shown[10:14, 10:14].mean() > 5 * shown[20:, 20:].mean()
    outside = difference_picture(a, a, mirrored=False, placement=(1.0, 1.0, 0.5, 0.0))
    assert (outside[:, 25:] == 128).all()


def test_oblong_images_are_drawn_too():
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    shown = difference_picture(image, image, mirrored=False, placement=(1.0, 1.0, 0.0, 0.0))
    assert shown.shape == (40, 56, 3)
    assert np.abs(shown.astype(int) - 128).max() <= 2
