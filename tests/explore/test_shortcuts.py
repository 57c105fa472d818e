"""What gives the class away is found, what does not is left alone, and effects are those of a second way."""

import numpy as np
import polars as pl
import pytest
from scipy.stats.contingency import association

from deepsight.explore.shortcuts import (
    cramers_v,
    crossed,
    misnamed_table,
    name_pattern,
    shortcuts_table,
    told,
    words_pattern,
)

CLASSES = ("cat", "dog")


def shortcuts_of(columns: dict, labels: np.ndarray) -> pl.DataFrame:
    return shortcuts_table(pl.DataFrame(columns), labels, CLASSES, seed=0).frame


def test_a_camera_per_class_is_found_and_a_random_one_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=300)
    leak = np.where(rng.random(300) < 0.9, labels, 1 - labels)
    found = shortcuts_of(
        {"camera": [f"model {i}" for i in leak], "day": [str(i) for i in rng.integers(5, size=300)],
         "constant": ["x"] * 300},
        labels,
    )  # fmt: skip
    rows = {row["attribute"]: row for row in found.iter_rows(named=True)}
    assert set(rows) == {"camera", "day"}
    assert rows["camera"]["flagged"]
    assert rows["camera"]["accuracy"] == pytest.approx((leak == labels).mean(), abs=0.02)
    assert not rows["day"]["flagged"]
    assert rows["day"]["accuracy"] == pytest.approx(rows["day"]["expected"], abs=0.08)


def test_independent_attributes_are_rarely_flagged() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=200)
    columns = {f"attribute {i}": [str(v) for v in rng.integers(2 + i, size=200)] for i in range(12)}
    assert not shortcuts_of(columns, labels)["flagged"].any()


def test_a_name_for_each_image_tells_nothing() -> None:
    labels = np.arange(100) % 2
    found = shortcuts_of({"name": [f"n{i // 2}" for i in range(100)]}, labels)
    assert found["accuracy"][0] == 0


def test_the_vote_and_cramers_v_agree_with_a_second_way() -> None:
    rng = np.random.default_rng(2)
    codes, labels = rng.integers(4, size=80), rng.integers(2, size=80)
    right = 0
    for row in range(80):
        others = labels[(codes == codes[row]) & (np.arange(80) != row)]
        votes = np.bincount(others, minlength=2)
        right += votes[labels[row]] > votes[1 - labels[row]]
    counts = crossed(codes, labels, 4, 2)
    assert told(counts) == right
    strong = np.array([[400, 40], [60, 500]])
    assert cramers_v(strong) == pytest.approx(association(strong, method="cramer"), abs=0.002)
    assert cramers_v(counts) <= association(counts, method="cramer")


@pytest.mark.parametrize(
    ("file", "pattern"),
    [("cat/cat_001.jpg", "(number)"), ("dog/IMG_2041.JPG", "img"), ("x/scanner2-dog-17.png", "scanner")],
)
def test_names_are_read_without_counters_and_classes(file: str, pattern: str) -> None:
    assert name_pattern(file, CLASSES) == pattern


def test_a_file_named_after_another_class_is_listed() -> None:
    files = ["cat/dog 1.jpg", "cat/cat_2.jpg", "dog/hotdog.png", "dog/cat-and-dog.png", "dog/Cat3.png"]
    keys = pl.DataFrame({"split": ["all"] * 5, "index": [0, 1, 2, 3, 4]})
    found = misnamed_table(files, keys, np.array([0, 0, 1, 1, 1]), CLASSES).frame
    assert found.rows() == [("all", 0, "cat", "dog"), ("all", 4, "dog", "cat")]


def test_a_number_in_a_file_name_is_no_class() -> None:
    files = [f"{row:06d}.png" for row in range(20)]
    keys = pl.DataFrame({"split": ["train"] * 20, "index": np.arange(20)})
    digits = tuple(str(digit) for digit in range(10))
    assert misnamed_table(files, keys, np.arange(20) % 10, digits).frame.is_empty()


@pytest.mark.parametrize(
    ("name", "file", "held"),
    [
        ("cat", "cat01.png", True), ("cat", "catalogue.png", False), ("cat", "a_cat_.png", True),
        ("käse", "käse3.png", True), ("käse", "käserei.png", False), ("type1", "type12.png", False),
        ("type1", "type1_7.png", True), ("7", "7.png", False),
    ],
)  # fmt: skip
def test_names_are_found_as_whole_words(name: str, file: str, held: bool) -> None:
    assert bool(words_pattern([name]).search(file)) == held
