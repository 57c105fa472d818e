"""Which pairs of near-duplicates a reader sees."""

import polars as pl

from deepsight.scrub.duplicates.pictures import shown_pairs


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
