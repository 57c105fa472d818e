"""Data sets are valid from birth, and rows are selected without a copy of the pixels."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepsight.core.dataset import (
    Dataset,
    Images,
    SelectedImages,
    Splits,
    class_counts,
    join_datasets,
    positions_of_ids,
)
from deepsight.core.errors import DeepSightError

CLASSES = ("cat", "dog", "frog")


def made(n: int = 6, first: int = 0, source: str = "train", **changes) -> Dataset:
    rng = np.random.default_rng(0)
    fields = {
        "images": rng.integers(0, 256, (n, 4, 5, 3), dtype=np.uint8),
        "labels": np.arange(n) % 3,
        "classes": CLASSES,
        "ids": np.arange(first, first + n),
        "source": source,
    }
    return Dataset(**{**fields, **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((6, 4, 5, 3))}, r"uint8 of shape \(6, h, w, 3\), received float64"),
        ({"images": np.zeros((5, 4, 5, 3), dtype=np.uint8)}, r"received uint8 of shape \(5, 4, 5, 3\)"),
        ({"images": np.zeros((6, 4, 5), dtype=np.uint8)}, "received uint8"),
        ({"images": np.zeros((6, 3, 4, 5), dtype=np.uint8)}, "received uint8"),
        ({"labels": np.zeros(6, dtype=np.int32)}, "labels as int64"),
        ({"labels": np.zeros((6, 1), dtype=np.int64)}, "labels as int64"),
        ({"labels": np.array([0, 1, 2, 3, 0, 0])}, "labels in 0 to 2, received 0 to 3"),
        ({"labels": np.array([0, 1, -1, 2, 0, 0])}, "received -1 to 2"),
        ({"classes": ("cat",)}, "two distinct class names"),
        ({"classes": ("cat", "cat", "dog")}, "two distinct class names"),
        ({"ids": np.zeros(6, dtype=np.int64)}, "distinct int64 row numbers"),
        ({"ids": np.arange(6.0)}, "distinct int64 row numbers"),
        ({"ids": np.arange(5)}, "distinct int64 row numbers"),
    ],
)
def test_what_is_not_a_data_set_is_refused(change, message):
    with pytest.raises(DeepSightError, match=message):
        made(**change)


def test_no_image_at_all_is_still_a_data_set():
    empty = made(0)
    assert (len(empty), empty.k) == (0, 3)


@pytest.mark.slow
@given(st.lists(st.integers(0, 19), max_size=30, unique=True), st.data())
def test_selecting_twice_is_selecting_the_composition(rows, data):
    whole = made(20)
    first = np.array(rows, dtype=np.int64)
    again = data.draw(st.lists(st.integers(0, max(len(rows) - 1, 0)), max_size=len(rows), unique=True))
    second = np.array(again if rows else [], dtype=np.int64)
    chosen = whole.select(first).select(second)
    np.testing.assert_array_equal(chosen.pixels(), whole.images[first[second]])
    np.testing.assert_array_equal(chosen.labels, whole.labels[first[second]])
    np.testing.assert_array_equal(chosen.ids, first[second])


def test_selection_reads_no_pixel_until_asked_and_only_those_asked_for():
    class Watched:
        def __init__(self) -> None:
            self.shape, self.dtype, self.read = (20, 4, 5, 3), np.dtype(np.uint8), []

        def __len__(self) -> int:
            return 20

        def __getitem__(self, rows):
            self.read.append(np.asarray(rows).tolist())
            return np.zeros((len(np.asarray(rows)), 4, 5, 3), dtype=np.uint8)

    images = Watched()
    chosen = made(20, images=images).select(np.array([3, 9, 4])).select(np.array([2, 0]))
    assert isinstance(chosen.images, Images)
    assert images.read == []
    assert chosen.pixels(slice(0, 1)).shape == (1, 4, 5, 3)
    assert images.read == [[4]]


def test_rows_behave_as_an_array():
    base = np.arange(20 * 4 * 5 * 3, dtype=np.uint8).reshape(20, 4, 5, 3)
    rows = SelectedImages(base, np.array([7, 1]))
    np.testing.assert_array_equal(np.asarray(rows), base[[7, 1]])
    assert np.asarray(rows, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(rows[np.array([True, False])], base[[7]])


def test_other_labels_leave_the_given_ones_alone():
    data = made()
    other = data.with_labels((data.labels + 1) % 3)
    np.testing.assert_array_equal(data.labels, np.arange(6) % 3)
    assert other.images is data.images


def test_splits_that_share_a_row_of_one_source_are_refused():
    with pytest.raises(
        DeepSightError, match="in both train and val, received 2 shared rows of 'train', the first 4"
    ):
        Splits(made(), made(6, first=4), made(source="test"))
    Splits(
        made(), made(6, first=6), made(source="test")
    )  # the same numbers of another source are other images


def test_splits_of_other_classes_are_refused():
    other = made(source="test", classes=("cat", "dog", "bird"))
    with pytest.raises(DeepSightError, match="Expected the classes of train"):
        Splits(made(), made(6, first=6), other)


def test_splits_by_the_names_of_the_run_folder():
    splits = Splits(made(), made(6, first=6), made(source="test"))
    assert list(splits.named()) == ["train", "val", "test"]
    assert splits.classes == CLASSES


def test_class_counts_count_absent_classes_too():
    np.testing.assert_array_equal(class_counts(np.array([2, 2, 0]), CLASSES), [1, 0, 2])


def described(data: Dataset) -> Dataset:
    names = np.array([f"{data.source}/{row}.png" for row in data.ids], dtype=object)
    return replace(data, files=names, groups=data.ids // 2, metadata=pl.DataFrame({"age": data.ids}))


def test_what_is_known_of_an_image_stays_with_it():
    chosen = described(made(6)).select(np.array([4, 1])).select(np.array([1, 0]))
    assert chosen.files.tolist() == ["train/1.png", "train/4.png"]
    assert chosen.groups.tolist() == [0, 2]
    assert chosen.metadata["age"].to_list() == [1, 4]
    with pytest.raises(DeepSightError, match="files of 6 images, received 2"):
        made(6, files=np.array(["a", "b"], dtype=object))


def test_a_mask_selects_where_it_is_true():
    data = made(2)
    np.testing.assert_array_equal(data.select(np.array([False, True])).ids, [1])
    assert len(data.select(np.array([], dtype=np.int64))) == 0


@pytest.mark.parametrize("wanted", [[3, 6], [-1], [2.5]])
def test_ids_that_are_not_in_the_data_are_refused(wanted):
    np.testing.assert_array_equal(positions_of_ids(np.array([3, 0, 5]), np.array([5, 3])), [2, 0])
    with pytest.raises(DeepSightError, match="1 others"):
        positions_of_ids(np.array([3, 0, 5]), np.array(wanted))


def test_parts_of_different_shapes_are_not_joined():
    tall = made(4, images=np.zeros((4, 9, 5, 3), dtype=np.uint8), source="test")
    with pytest.raises(DeepSightError, match=r"one shape in all parts.*\(4, 5, 3\).*\(9, 5, 3\)"):
        join_datasets([made(6), tall], "all")


def test_parts_of_one_source_are_joined_by_their_rows():
    whole = described(made(6))
    joined = join_datasets([whole.select(np.array([1, 4])), whole.select(np.array([0, 2, 3, 5]))], "all")
    assert joined.source == "train"
    np.testing.assert_array_equal(joined.ids, whole.ids)
    np.testing.assert_array_equal(joined.pixels(), whole.pixels())
    assert joined.files.tolist() == whole.files.tolist()
    assert joined.metadata.equals(whole.metadata)


def test_images_without_groups_stand_alone_beside_those_with_groups():
    train, test = made(6, groups=np.array([0, 0, 1, 1, 1, 2])), made(4, source="test")
    groups = join_datasets([train, test], "all").groups
    assert groups[:6].tolist() == [0, 0, 1, 1, 1, 2]
    assert len(set(groups[6:].tolist()) | set(groups[:6].tolist())) == 3 + 4
    assert join_datasets([made(6), test], "all").groups is None


def test_parts_of_several_sources_are_numbered_anew():
    train, test = described(made(6)), made(4, source="test")
    joined = join_datasets([train, test], "all")
    assert (joined.source, joined.ids.tolist(), joined.files) == ("all", list(range(10)), None)
    np.testing.assert_array_equal(joined.pixels(), np.concatenate([train.pixels(), test.pixels()]))
    np.testing.assert_array_equal(joined.pixels(np.array([9, 0])), joined.pixels()[[9, 0]])
    np.testing.assert_array_equal(joined.images[7], test.images[1])
