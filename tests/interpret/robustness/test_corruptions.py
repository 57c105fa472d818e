"""Degradation: what each corruption does to the pixels, and what the study says of models that we know."""

import io

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.images.augmentation import corruption_transform
from deepsight.interpret.robustness import corruptions
from deepsight.interpret.robustness.corruptions import SEVERITIES, balanced_rows


@pytest.fixture(scope="module")
def images(cifar10: tuple[Dataset, Dataset]) -> np.ndarray:
    return cifar10[1].pixels(slice(40))


def degraded(images: np.ndarray, corruption: str, amount: float, seed: int = 0) -> np.ndarray:
    return corruption_transform(corruption, amount, images.shape[1], seed=seed)(images).astype(np.float64)


@pytest.mark.slow
def test_noise_has_the_stated_deviation() -> None:
    grey = np.full((20, 32, 32, 3), 128, dtype=np.uint8)
    noisy = degraded(grey, "noise", 0.1)
    assert noisy.std() / 255 == pytest.approx(0.1, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.5)


def test_blur_is_the_gaussian_of_scipy(images: np.ndarray) -> None:
    inner = np.s_[:, 6:-6, 6:-6]  # borders are extended in another way
    expected = gaussian_filter(images.astype(np.float64), (0, 1.0, 1.0, 0))
    assert np.abs(degraded(images, "blur", 1.0) - expected)[inner].mean() < 1.5


def test_blur_grows_with_the_side_of_the_image(images: np.ndarray) -> None:
    large = images[:4].repeat(2, axis=1).repeat(2, axis=2)
    expected = gaussian_filter(large.astype(np.float64), (0, 2.0, 2.0, 0))
    inner = np.s_[:, 12:-12, 12:-12]
    assert np.abs(degraded(large, "blur", 1.0) - expected)[inner].mean() < 1.5


def test_contrast_shrinks_the_range_about_the_mean(images: np.ndarray) -> None:
    flat = degraded(images, "contrast", 0.5)
    assert np.median(flat.std(axis=(1, 2)) / images.std(axis=(1, 2))) == pytest.approx(0.5, abs=0.02)
    assert flat.mean() == pytest.approx(images.mean(), abs=2)


def test_brightness_adds_to_every_pixel() -> None:
    grey = np.full((3, 8, 8, 3), 100, dtype=np.uint8)
    assert degraded(grey, "brightness", 0.2) == pytest.approx(100 + 0.2 * 255, abs=1)


def test_jpeg_is_as_far_from_the_image_as_that_of_pillow(images: np.ndarray) -> None:
    ours = np.abs(degraded(images, "jpeg", 50) - images).mean()
    theirs = np.mean([np.abs(pillow_jpeg(image, 50) - image) for image in images])
    assert ours == pytest.approx(theirs, rel=0.05)


def pillow_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), dtype=np.float64)


def test_pixelation_leaves_that_many_distinct_rows(images: np.ndarray) -> None:
    coarse = degraded(images, "pixelation", 0.5)
    assert {len(np.unique(image, axis=0)) for image in coarse} == {16}


@pytest.mark.parametrize("corruption", SEVERITIES)
def test_each_severity_is_further_from_the_image(images: np.ndarray, corruption: str) -> None:
    gaps = [np.abs(degraded(images, corruption, amount) - images).mean() for amount in SEVERITIES[corruption]]
    assert gaps[0] > 0
    assert gaps == sorted(gaps)


CLASSES = ("dark", "bright")


def by_brightness(images: np.ndarray) -> np.ndarray:
    """A model that knows nothing but the mean of the pixels."""
    mean = images.mean(axis=(1, 2, 3), dtype=np.float64)
    return np.stack([128 - mean, mean - 128], axis=1)


@pytest.fixture(scope="module")
def two_greys() -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(60) % 2
    images = np.where(labels == 1, 160, 100).astype(np.uint8)[:, None, None, None]
    return np.tile(images, (1, 16, 16, 3)), labels


def test_a_model_of_brightness_falls_to_brightness_alone(two_greys: tuple[np.ndarray, np.ndarray]) -> None:
    table = corruptions.corruption_robustness(*two_greys, CLASSES, by_brightness, seed=0)
    mean = corruptions.corruption_summary(table).frame
    # 100 + 0.15 × 255 passes 128 and 100 + 0.1 × 255 does not: dark images are lost from severity 3 on.
    assert mean.row(0, named=True)["corruption"] == "brightness"
    assert table.caption.startswith("Brightness costs most")
    lost = table.frame.filter(pl.col("corruption") == "brightness", pl.col("class") == "dark")
    assert lost["accuracy"].to_list() == [1, 1, 0, 0, 0]
    kept = mean.filter(pl.col("corruption") != "brightness")
    assert (kept["accuracy"] == 1).all()
    assert (kept["retained"] == 1).all()


def test_rows_are_counts_of_the_same_images(cifar10: tuple[Dataset, Dataset]) -> None:
    test = cifar10[1]
    table = corruptions.corruption_robustness(
        test.images, test.labels, test.classes, lambda x: np.eye(10)[x[:, 0, 0, 0] % 10], limit=50, seed=3
    )
    whole = table.frame.filter(pl.col("class") == corruptions.ALL)
    parts = table.frame.filter(pl.col("class") != corruptions.ALL)
    assert len(whole) == 31
    assert (parts["n"] == 5).all()
    assert table.n == 50
    hits = parts.group_by("corruption", "severity", maintain_order=True).agg(
        (pl.col("accuracy") * pl.col("n")).sum()
    )
    assert hits["accuracy"].to_numpy() == pytest.approx((whole["accuracy"] * 50).to_numpy())


def test_the_seed_decides_images_and_noise(cifar10: tuple[Dataset, Dataset]) -> None:
    test = cifar10[1]

    def frame(seed: int) -> pl.DataFrame:
        first_pixel = lambda x: np.eye(10)[x[:, 0, 0, 0] % 10]  # noqa: E731
        return corruptions.corruption_robustness(
            test.images, test.labels, test.classes, first_pixel, limit=60, seed=seed
        ).frame

    assert frame(0).equals(frame(0))
    assert not frame(0).equals(frame(1))


def test_rows_are_balanced_while_a_class_lasts() -> None:
    labels = np.array([0] * 50 + [1] * 3 + [2] * 50)
    rows = balanced_rows(labels, 23, np.random.default_rng(0))
    assert np.bincount(labels[rows]).tolist() == [10, 3, 10]
    assert len(np.unique(rows)) == 23


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(DeepSightError, match="at least one image, received 0"):
        balanced_rows(np.array([0, 1]), 0, np.random.default_rng(0))


def test_a_model_that_is_never_right_has_nothing_to_keep(two_greys: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = two_greys
    table = corruptions.corruption_robustness(images, 1 - labels, CLASSES, by_brightness, limit=20, seed=0)
    summary = corruptions.corruption_summary(table)
    assert summary.frame["retained"].is_null().all()
    assert summary.caption.startswith("Accuracy is 0.0% on the original images")


def test_a_model_that_ignores_the_image_loses_to_no_corruption(
    two_greys: tuple[np.ndarray, np.ndarray],
) -> None:
    def constant(images: np.ndarray) -> np.ndarray:
        return np.tile([1.0, 0.0], (len(images), 1))

    table = corruptions.corruption_robustness(*two_greys, CLASSES, constant, seed=0)
    assert table.caption == "No corruption lowers the accuracy of 50.0%, averaged over severities."
