"""Training copies of test images go, and where nothing is left of a class the study does not go on."""

from dataclasses import replace

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.scrub.clean import clean_splits


@pytest.fixture
def ships_and_cats(cifar10: tuple[Dataset, Dataset]) -> Dataset:
    """Thirty cats and thirty ships."""
    train = cifar10[0]
    rows = np.concatenate([np.flatnonzero(train.labels == c)[:30] for c in (3, 8)])
    some = train.select(rows)
    return replace(some, labels=(some.labels == 8).astype(np.int64), classes=("cat", "ship"))


def run(train: Dataset, test: Dataset, *, keep_leaks: bool = False) -> Dataset:
    """The training images that are left."""
    made = clean_splits(
        train, replace(test, source="test"), validation=None, validation_share=0.2, seed=0,
        keep_leaks=keep_leaks, rows=lambda splits: len(splits.train),
    )  # fmt: skip
    return made.splits.train


def test_copies_of_test_images_are_dropped(ships_and_cats: Dataset) -> None:
    test = ships_and_cats.select(np.r_[0:10, 30:40])
    left = run(ships_and_cats, test)
    assert not set(left.ids.tolist()) & set(test.ids.tolist())
    assert len(set(left.labels.tolist())) == 2


def test_a_class_of_which_only_copies_are_there_stops_the_study(ships_and_cats: Dataset) -> None:
    test = ships_and_cats.select(np.arange(30, 60))
    with pytest.raises(DeepSightError, match=r"images of 'ship'.*--keep-leaks"):
        run(ships_and_cats, test)
    assert set(run(ships_and_cats, test, keep_leaks=True).labels.tolist()) == {0, 1}
