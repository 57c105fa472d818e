"""Train, validation and test under the names that people give them."""

import pytest

from deepsight.obtain.readers.part_names import first_of_each_part, part_of_name


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Train", "train"), ("training_set", "train"), ("testset", "test"), (" valid ", "val"),
        ("val-images", "val"), ("trains", None), ("seg_train", None), ("settest", None), ("", None),
        ("train2017", "train"), ("test_20%", "test"), ("val-1", "val"), ("2017", None), ("test a", None),
    ],
)  # fmt: skip
def test_the_part_that_a_name_means(name, part):
    assert part_of_name(name) == part


def test_a_second_name_of_a_part_takes_nothing_away():
    assert part_of_name("seg_train", prefixed=True) == "train"
    assert first_of_each_part(["val", "train", "validation", "extra"]) == {"val": "val", "train": "train"}
