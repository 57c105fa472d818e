"""Copies and near-duplicates of judged images are found among training images, and others stay."""

from dataclasses import replace

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


def test_images_of_a_judged_group_go(cifar10: tuple[Dataset, Dataset]) -> None:
    few = cifar10[0].select(np.arange(200))
    grouped = replace(few, groups=np.arange(200) % 50)
    train, judged = grouped.select(np.arange(100)), grouped.select(np.arange(100, 130))
    kept = independent_rows(train, judged, seed=0)
    assert set(train.groups[kept] % 50) <= set(range(30, 50))  # type: ignore[index]
    assert len(kept) >= 38
    bare = replace(judged, groups=None)
    assert len(independent_rows(train, bare, seed=0)) >= 98
