"""Copies and near-duplicates of judged images are found among training images, and others stay."""

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.workflows.examine.independent_rows import independent_rows


def test_copies_and_shifted_copies_go_and_the_others_stay(cifar10: tuple[Dataset, Dataset]) -> None:
    train, test = cifar10
    few, judged = train.select(np.arange(300)), test.select(np.arange(100))
    pixels = few.pixels().copy()
    pixels[10] = judged.pixels()[3]
    pixels[20] = np.roll(judged.pixels()[4], 2, axis=1)
    planted = Dataset(pixels, few.labels, few.classes, few.ids + 5, few.source)
    kept = independent_rows(planted, judged, seed=0)
    assert not {10, 20} & set(kept.tolist())
    assert len(kept) >= 295


def test_equal_row_numbers_of_two_halves_are_not_mixed_up(cifar10: tuple[Dataset, Dataset]) -> None:
    train, _ = cifar10
    few = train.select(np.arange(200))
    assert len(independent_rows(few.select(np.arange(100)), few.select(np.arange(100, 200)), seed=0)) >= 98
