"""The part that is held out, against a count by hand, and the labels' names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepsight.obtain import splits
from deepsight.obtain.custom_data import CustomData
from deepsight.obtain.obtained import Part
from deepsight.obtain.readers.part_names import part_of_name
from deepsight.obtain.skipped_items import first_few
from deepsight.obtain.splits import hold_out_rows


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(3, 60), min_size=2, max_size=6), st.integers(0, 9))
def test_each_class_gives_its_share_at_least_one_and_keeps_enough(sizes, seed):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    kept, out = hold_out_rows(labels, share=0.2, seed=seed, keep=2)
    assert sorted([*kept, *out]) == list(range(len(labels)))
    for label, n in enumerate(sizes):
        taken = int((labels[out] == label).sum())
        assert taken == max(1, round(0.2 * n))
        assert n - taken >= 2


def test_the_rows_depend_on_the_seed_alone():
    labels = np.repeat([0, 1], 50)
    first, again, other = (hold_out_rows(labels, share=0.2, seed=seed, keep=2)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (np.diff(first) > 0).all()


def test_a_class_of_three_keeps_two():
    kept, out = hold_out_rows(np.array([0, 0, 0, 1, 1, 1]), share=0.9, seed=0, keep=2)
    assert (len(kept), len(out)) == (4, 2)


def test_a_class_of_two_gives_one_though_its_share_is_less():
    _, out = hold_out_rows(np.array([0, 0, 1, 1]), share=0.2, seed=0, keep=1)
    assert len(out) == 2


@pytest.mark.parametrize(("n", "text"), [(2, "0, 1"), (7, "0, 1, 2, 3, 4 and 2 more")])
def test_a_long_list_is_cut(n, text):
    assert first_few([str(i) for i in range(n)]) == text


def test_of_very_many_images_a_bounded_number_is_held_out(monkeypatch):
    monkeypatch.setattr(splits, "MOST_HELD_OUT", 10)
    images = np.zeros((100, 8, 8, 3), dtype=np.uint8)
    made = CustomData("x", {"all": Part(images, np.arange(100) % 2)}, ("a", "b"), {"all": ""})
    obtained = splits.split_custom_data(made, log=lambda _: None)
    assert (len(obtained.train), len(obtained.test)) == (90, 10)
    assert obtained.record["held_out_test"] == {"share": 0.1, "seed": 0}


def test_eval_means_validation_and_absent_classes_do_not_count():
    assert part_of_name("eval") == part_of_name("Evaluation set") == "val"
    said: list[str] = []
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
    parts = {"train": Part(images, np.arange(12) % 3), "test": Part(images, np.arange(12) % 2)}
    splits.split_custom_data(CustomData("x", parts, ("a", "b", "c"), {}), log=said.append)
    assert said == ["The test part has no image of 'c'; macro-F1 is over the other classes."]
