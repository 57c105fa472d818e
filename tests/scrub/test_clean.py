"""Training copies of test images go, and where nothing is left of a class the study does not go on."""

from dataclasses import replace

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.scrub.clean import Cleaned, clean_splits
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.duplicates.repeated_rows import repeated_rows


@pytest.fixture
def ships_and_cats(cifar10: tuple[Dataset, Dataset]) -> Dataset:
    """Thirty cats and thirty ships."""
    train = cifar10[0]
    rows = np.concatenate([np.flatnonzero(train.labels == c)[:30] for c in (3, 8)])
    some = train.select(rows)
    return replace(some, labels=(some.labels == 8).astype(np.int64), classes=("cat", "ship"))


def cleaned(train: Dataset, test: Dataset, *, keep_leaks: bool | None = False) -> Cleaned:
    """A fifth of train is validation."""
    return clean_splits(
        train, replace(test, source="test"), validation=None, validation_share=0.2, seed=0,
        keep_leaks=keep_leaks, rows=lambda splits: len(splits.train),
    )  # fmt: skip


def run(train: Dataset, test: Dataset, *, keep_leaks: bool | None = False) -> Dataset:
    """The training images that are left."""
    return cleaned(train, test, keep_leaks=keep_leaks).splits.train


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


def dimmed(data: Dataset) -> Dataset:
    """The same pictures with less contrast: near-duplicates, and no exact copies."""
    return replace(data, images=(data.pixels() * 0.8 + 20).astype(np.uint8))


def test_few_near_duplicates_are_dropped_without_a_word(ships_and_cats: Dataset) -> None:
    test = dimmed(ships_and_cats.select(np.r_[0:2, 30:32]))
    made = cleaned(ships_and_cats, test, keep_leaks=None)
    assert made.notes == ()
    assert not set(made.splits.train.ids.tolist()) & set(test.ids.tolist())


def test_many_near_duplicates_are_kept_and_said_unless_dropping_is_asked_for(ships_and_cats: Dataset) -> None:
    test = dimmed(ships_and_cats.select(np.r_[0:15, 30:45]))
    kept, dropped = (cleaned(ships_and_cats, test, keep_leaks=choice) for choice in (None, False))
    assert "so they are kept" in kept.notes[0]
    assert kept.notes[0] in kept.evidence["split_dropped"].caption
    assert len(kept.splits.train) == 48
    assert len(dropped.splits.train) < 35
    assert dropped.notes == ()


def test_many_exact_copies_are_left_out_and_said(ships_and_cats: Dataset) -> None:
    made = cleaned(ships_and_cats, ships_and_cats.select(np.r_[0:15, 30:45]), keep_leaks=None)
    assert "30 images to learn from are exact copies" in made.notes[0]


def test_near_duplicates_are_kept_where_nothing_of_a_class_would_be_left(ships_and_cats: Dataset) -> None:
    few = ships_and_cats.select(np.r_[0:30, 30:32])
    made = cleaned(few, dimmed(ships_and_cats.select(np.r_[25:32])), keep_leaks=None)
    assert set(made.splits.train.labels.tolist()) == {0, 1}
    assert "remove all images of 'ship'" in made.notes[0]


def test_what_a_study_leaves_out_still_names_the_test_images(ships_and_cats: Dataset) -> None:
    """Of 48 training rows 20 are used; the copied test images are known from a search over all."""
    test = replace(dimmed(ships_and_cats.select(np.r_[0:2, 30:32])), source="test")
    whole = find_duplicates({"train": ships_and_cats, "test": test}, seed=0)

    def named(used: int) -> tuple[list[int], set[int]]:
        made = clean_splits(
            ships_and_cats, test, validation=None, validation_share=0.2, seed=0, keep_leaks=False,
            rows=lambda splits: used, known=lambda: whole,
        )  # fmt: skip
        assert set(made.compared) == {"train", "val", "test"}
        assert len(made.compared["train"]) == 48
        repeated = repeated_rows(made.evidence["duplicates"], of="test", within=("train", "val"))
        return repeated.tolist(), set(made.splits.train.ids.tolist())

    few, many = named(20), named(48)
    assert few[0] == many[0] == sorted(test.ids.tolist())
    assert not (few[1] | many[1]) & set(test.ids.tolist())
