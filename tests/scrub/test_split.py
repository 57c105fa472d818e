"""No leak survives, nothing else is dropped, classes stay equal; real CIFAR-10 and planted copies."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.scrub.leakage import pixel_digests
from deepsight.scrub.split import Partition, absent_classes, leak_free_split, limit_train, share_differences

CLASSES = ("cat", "dog", "ship")


def made(n: int, source: str, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    return Dataset(images, np.arange(n) % 3, CLASSES, np.arange(n) + 100, source)


def with_copies(part: Dataset, copies: dict[int, np.ndarray]) -> Dataset:
    images = part.pixels().copy()
    for row, image in copies.items():
        images[row] = image
    return Dataset(images, part.labels, part.classes, part.ids, part.source)


def contents(part: Dataset) -> set[bytes]:
    return {image.tobytes() for image in part.pixels()}


@pytest.fixture(scope="module")
def real(cifar10) -> Partition:
    return leak_free_split(*cifar10, seed=0)


def test_real_cifar10_shares_nothing_and_classes_are_equal(cifar10, real):
    a, b, c = real.splits.named().values()
    assert (len(a), len(b), len(c)) == (45_000, 5_000, 10_000)
    assert not set(a.ids) & set(b.ids)
    for part in (a, b):
        assert set(np.bincount(part.labels) / len(part)) == {0.1}
    sets = [contents(part) for part in (a, b, c)]
    assert not sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2]
    assert real.checks.frame["passed"].all()
    assert real.dropped.frame.is_empty()
    assert c is cifar10[1]


def test_a_row_is_the_same_image_before_and_after(cifar10, real):
    train, validation = cifar10[0], real.splits.validation
    np.testing.assert_array_equal(validation.pixels([0, 77]), train.pixels(validation.ids[[0, 77]]))
    np.testing.assert_array_equal(validation.labels, train.labels[validation.ids])


def test_planted_copies_leave_train_first_then_validation_and_never_test():
    train, test, validation = made(30, "train", 0), made(12, "test", 1), made(9, "val", 2)
    validation = with_copies(validation, {4: test.pixels(7)})
    train = with_copies(train, {3: test.pixels(0), 5: validation.pixels(1), 6: test.pixels(7)})
    found = leak_free_split(train, test, validation=validation, seed=0)
    assert found.dropped.frame.rows() == [
        ("train", 103, "exact copy", "test", 100),
        ("train", 106, "exact copy", "test", 107),
        ("val", 104, "exact copy", "test", 107),
        ("train", 105, "exact copy", "val", 101),
    ]
    assert found.splits.test is test
    assert set(train.ids) - set(found.splits.train.ids) == {103, 105, 106}
    assert set(validation.ids) - set(found.splits.validation.ids) == {104}
    assert found.checks.frame["shared_digests"].sum() == 0


def test_leaks_are_kept_on_request_and_the_check_says_so():
    train, test = made(30, "train", 0), made(12, "test", 1)
    train = with_copies(train, dict(enumerate(test.pixels())))
    found = leak_free_split(train, test, seed=0, keep_leaks=True, near_duplicates=np.array([101]))
    assert len(found.splits.train) + len(found.splits.validation) == 30
    assert found.dropped.frame.is_empty()
    shared = found.checks.frame.filter(pl.col("split_b") == "test")
    assert shared["shared_digests"].sum() == 12
    np.testing.assert_array_equal(shared["passed"], shared["shared_digests"] == 0)


def test_near_duplicates_go_from_train_alone_and_leave_validation_as_it_was():
    train, test = made(60, "train", 0), made(12, "test", 1)
    before = leak_free_split(train, test, seed=0).splits
    near = np.array([before.train.ids[2], before.validation.ids[0]])
    found = leak_free_split(train, test, seed=0, near_duplicates=near)
    np.testing.assert_array_equal(found.splits.validation.ids, before.validation.ids)
    assert set(before.train.ids) - set(found.splits.train.ids) == {near[0]}
    assert found.dropped.frame.rows() == [("train", near[0], "near-duplicate", None, None)]


def test_unequal_class_shares_fail_the_check():
    train, test = made(600, "train", 0), made(300, "test", 1)
    skewed = test.select(np.flatnonzero((test.labels > 0) | (np.arange(300) < 100)))
    checks = leak_free_split(train, skewed, seed=0).checks.frame
    assert checks["passed"].to_list() == [True, False, False]
    by_hand = 1 / 3 - np.mean(skewed.labels == 0)
    assert checks["share_difference"][1] == pytest.approx(by_hand)


def test_random_draws_seldom_fail_the_check_of_class_shares():
    rng = np.random.default_rng(0)

    def draw(n: int, name: str) -> Dataset:
        labels = rng.choice(3, size=n, p=[0.7, 0.2, 0.1])
        return Dataset(np.zeros((n, 8, 8, 3), np.uint8), labels, ("a", "b", "c"), np.arange(n), name)

    failed = 0
    for _ in range(300):
        differences, tolerances = share_differences(draw(500, "train"), draw(200, "test"))
        failed += bool((differences > tolerances).any())
    assert failed <= 300 * 0.09


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 0.5))
def test_stratified_as_scikit_learn_does_and_repeatable(seed, share):
    train, test = made(90, "train", 0), made(9, "test", 1)
    parts = leak_free_split(train, test, seed=seed, validation_share=share).splits
    again = leak_free_split(train, test, seed=seed, validation_share=share).splits
    np.testing.assert_array_equal(parts.train.ids, again.train.ids)
    held = round(90 * share)
    _, expected = train_test_split(train.ids, test_size=held, random_state=seed, stratify=train.labels)
    assert set(parts.validation.ids) == set(expected)
    assert np.ptp(np.bincount(parts.validation.labels, minlength=3)) <= 1


def test_the_seed_matters():
    train, test = made(90, "train", 0), made(9, "test", 1)
    assert set(leak_free_split(train, test, seed=0).splits.validation.ids) != set(
        leak_free_split(train, test, seed=1).splits.validation.ids
    )


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(DeepSightError, match=r"share .*received share"):
        leak_free_split(made(30, "train", 0), made(12, "test", 1), seed=0, validation_share=share)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_class_of_two_is_in_both_splits_and_a_class_of_one_in_train(share):
    train = made(303, "train", 0)
    train = train.select(np.flatnonzero((train.labels == 0) | (np.arange(303) < 5)))  # 101, 2 and 1 images
    parts = leak_free_split(train, made(12, "test", 1), seed=0, validation_share=share).splits
    assert np.bincount(parts.train.labels, minlength=3)[1:].tolist() == [1, 1]
    assert (np.bincount(parts.train.labels, minlength=3) > 0).all()
    assert np.bincount(parts.validation.labels, minlength=3).tolist()[1:] == [1, 0]


def test_a_split_that_lacks_a_class_says_so():
    train = made(30, "train", 0)
    lonely = train.select(np.flatnonzero((train.labels != 1) | (np.arange(30) == 1)))
    splits = leak_free_split(lonely, made(12, "test", 1), seed=0).splits
    sentences = absent_classes("validation", splits.validation)
    assert absent_classes("test", splits.test) == ()
    assert len(sentences) == 1
    assert "validation split has no image of 'dog'" in sentences[0]


def test_a_class_needs_two_images():
    train = made(30, "train", 0)
    few = train.select(np.array([0, 1, 2]))
    with pytest.raises(DeepSightError, match="at most 1 per class"):
        leak_free_split(few, made(12, "test", 1), seed=0)


def test_a_limit_keeps_an_image_of_every_class():
    train = made(303, "train", 0)
    uneven = train.select(np.flatnonzero((train.labels == 0) | (np.arange(303) < 4)))
    part = limit_train(uneven, limit=10, seed=0)
    assert len(part) == 10
    assert (np.bincount(part.labels, minlength=3) > 0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 89), st.integers(0, 99))
def test_limit_keeps_class_shares_order_and_size(limit, seed):
    train = made(90, "train", 0)
    part = limit_train(train, limit=limit, seed=seed)
    assert len(part) == limit
    assert (np.diff(part.ids) > 0).all()
    assert np.ptp(np.bincount(part.labels, minlength=3)) <= 1
    np.testing.assert_array_equal(part.ids, limit_train(train, limit=limit, seed=seed).ids)


def test_limit_without_effect_and_too_small_a_limit():
    train = made(30, "train", 0)
    assert limit_train(train, limit=None, seed=0) is train
    assert limit_train(train, limit=30, seed=0) is train
    with pytest.raises(DeepSightError, match="received 2"):
        limit_train(train, limit=2, seed=0)


def test_digests_tell_one_pixel_apart_and_read_lazy_views(cifar10):
    images = cifar10[1].pixels(np.arange(50))
    changed = images.copy()
    changed[7, 31, 31, 2] ^= 1
    assert (pixel_digests(images) != pixel_digests(changed)).nonzero()[0].tolist() == [7]
    np.testing.assert_array_equal(
        pixel_digests(cifar10[1].select(np.arange(50)).images), pixel_digests(images)
    )


def grouped(data: Dataset, groups: np.ndarray) -> Dataset:
    return replace(data, groups=groups.astype(np.int64))


def test_validation_is_cut_by_whole_groups():
    train, test = made(120, "train", 0), made(30, "test", 1)
    groups = np.arange(120) // 6
    splits = leak_free_split(grouped(train, groups), test, seed=0).splits
    assert len(splits.train) + len(splits.validation) == 120
    assert not set(splits.train.groups) & set(splits.validation.groups)
    assert set(splits.validation.labels) == {0, 1, 2}


def test_a_group_that_a_given_split_puts_on_both_sides_leaves_train():
    train, test = made(120, "train", 0), made(30, "test", 1)
    train, test = grouped(train, np.arange(120) // 6), grouped(test, 18 + np.arange(30) // 6)
    made_splits = leak_free_split(train, test, seed=0)
    assert not set(made_splits.splits.train.groups) & set(test.groups)
    assert len(made_splits.splits.test) == 30
    reasons = made_splits.dropped.frame.filter(reason="same group")
    assert sorted(reasons["index"]) == list(range(100 + 18 * 6, 100 + 120))
    kept = leak_free_split(train, test, seed=0, keep_leaks=True)
    assert kept.dropped.frame.is_empty()
