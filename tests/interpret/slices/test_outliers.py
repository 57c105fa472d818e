"""Images far from the training images are found, and a clean set has next to none."""

import numpy as np

from deepsight.interpret.slices.outliers import FENCE, outliers_table

CLASSES = ("ant", "bee")


def table_of(distance: np.ndarray, **options: int):
    n = len(distance)
    labels = np.arange(n) % 2
    return outliers_table(distance, np.arange(n) + 100, labels, np.zeros(n, dtype=int), CLASSES, **options)


def test_planted_outliers_are_listed_farthest_first() -> None:
    distance = np.random.default_rng(0).normal(0.3, 0.02, 500)
    distance[[7, 40, 300]] = 0.6, 0.9, 0.7
    table = table_of(distance)
    assert table.frame["index"].to_list()[:3] == [140, 400, 107]
    assert table.frame["given"].to_list()[:3] == ["ant", "ant", "bee"]
    assert len(table.frame) <= 4
    assert (table.frame["score"] > FENCE).all()


def test_near_images_and_equal_images_are_none() -> None:
    distance = np.full(50, 0.3)
    assert table_of(distance).frame.is_empty()
    distance = np.random.default_rng(0).normal(0.3, 0.02, 500)
    distance[0] = -1.0
    assert 100 not in table_of(distance).frame["index"].to_list()


def test_the_caption_counts_what_the_limit_leaves_out() -> None:
    distance = np.random.default_rng(0).normal(0.3, 0.001, 500)
    distance[:10] = 0.9
    table = table_of(distance, limit=4)
    assert len(table.frame) == 4
    assert table.caption.endswith("the 4 farthest are listed.")
    assert table.caption.startswith("10 of 500") or table.caption.startswith("11 of 500")
