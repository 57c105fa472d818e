"""Each planted fault is found and named, natural pictures are left alone, and a habit is no fault."""

import cv2
import numpy as np
import polars as pl
import pytest

from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.scrub.image_issues import image_issue_tables, issue_measures, luma_range
from photos import photos

FAULTS = {
    "dark": lambda image: image // 6,
    "bright": lambda image: 235 + image // 13,
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 5),
    "low information": lambda image: np.full_like(image, 120),
}


def issues_of(images: np.ndarray, headers: pl.DataFrame | None = None) -> pl.DataFrame:
    keys = pl.DataFrame({"split": ["all"] * len(images), "index": np.arange(len(images))})
    measures = issue_measures(luma_range(images), measured_properties(images), headers)
    return image_issue_tables(measures, keys)["image_issues"].frame


@pytest.mark.parametrize("issue", FAULTS)
def test_a_planted_fault_is_found_and_named(issue: str) -> None:
    images, _ = photos(60)
    images[7] = FAULTS[issue](images[7])
    found = issues_of(images)
    assert 7 in found.filter(issue=issue)["index"].to_list()
    assert set(found["index"]) == {7}


def test_natural_pictures_have_no_issue(cifar10) -> None:
    rows = np.arange(1000)
    assert issues_of(photos(100, seed=3)[0]).is_empty()
    assert issues_of(cifar10[1].pixels(rows))["index"].n_unique() <= 10


def test_what_most_images_are_like_is_no_fault() -> None:
    images, _ = photos(80)
    images = images // 6
    images[:3] = 0
    assert not set(range(3, 80)) & set(issues_of(images).filter(issue="dark")["index"])


def test_odd_sizes_and_shapes_are_found_from_the_headers() -> None:
    images, _ = photos(40)
    width, height = np.full(40, 640), np.full(40, 480)
    width[3], height[3] = 90, 60
    width[5], height[5] = 2000, 100
    found = issues_of(images, pl.DataFrame({"width": width, "height": height}))
    assert found.filter(issue="odd size")["index"].to_list() == [3]
    assert found.filter(issue="odd aspect")["index"].to_list() == [5]


def test_the_percentiles_are_those_of_numpy() -> None:
    images, _ = photos(5)
    grey = images.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    low, high = luma_range(images)
    flat = grey.reshape(5, -1)
    np.testing.assert_allclose(low, np.quantile(flat, 0.05, axis=1, method="lower"), atol=1e-6)
    np.testing.assert_allclose(high, np.quantile(flat, 0.99, axis=1, method="lower"), atol=1e-6)
