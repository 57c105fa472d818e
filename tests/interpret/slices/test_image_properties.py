"""Each property against a second formula, and in the order that the eye would give."""

import numpy as np
import pytest
from scipy.ndimage import laplace
from scipy.stats import entropy

from deepsight.core.dataset import Dataset
from deepsight.interpret.slices import image_properties
from deepsight.interpret.slices.image_properties import (
    BINS,
    UNITS,
    colourfulness,
    luma_entropy,
    measured_properties,
)

GREY = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(6, 16, 20, 3), dtype=np.uint8)


def test_every_property_has_a_unit_and_real_images_are_in_range(cifar10: tuple[Dataset, Dataset]) -> None:
    frame = measured_properties(cifar10[1].select(np.arange(200)).images)
    assert frame.columns == list(UNITS)
    assert len(frame) == 200
    assert np.isfinite(frame.to_numpy()).all()
    assert (frame["brightness"].is_between(0, 1) & frame["object_size"].is_between(0, 1)).all()
    assert frame["entropy"].is_between(0, 5).all()


def test_brightness_and_contrast_are_those_of_luma(pixels: np.ndarray) -> None:
    frame = measured_properties(pixels)
    luma = pixels / 255 @ GREY
    assert frame["brightness"].to_list() == pytest.approx(luma.mean(axis=(1, 2)), abs=1e-5)
    assert frame["contrast"].to_list() == pytest.approx(luma.std(axis=(1, 2)), abs=1e-5)


def test_sharpness_is_the_laplacian_of_scipy(pixels: np.ndarray) -> None:
    luma = (pixels / 255 @ GREY).astype(np.float32)
    expected = [np.abs(laplace(image))[1:-1, 1:-1].mean() for image in luma]
    assert image_properties.sharpness(luma) == pytest.approx(expected, rel=1e-4)


def test_entropy_is_that_of_scipy(pixels: np.ndarray) -> None:
    luma = (pixels / 255 @ GREY).astype(np.float32)
    expected = [entropy(np.histogram(image, BINS, (0, 1))[0], base=2) for image in luma]
    assert luma_entropy(luma) == pytest.approx(expected, abs=0.01)
    assert luma_entropy(np.full((1, 8, 8), 0.5, dtype=np.float32))[0] == 0


def test_colourfulness_is_zero_for_grey_and_the_formula_for_one_colour() -> None:
    grey = np.full((1, 8, 8, 3), 0.4, dtype=np.float32)
    red = grey * 0
    red[..., 0] = 1
    assert colourfulness(grey)[0] == pytest.approx(0, abs=1e-6)
    assert colourfulness(red)[0] == pytest.approx(0.3 * np.hypot(1, 0.5))


def test_object_size_is_the_area_of_an_object_before_an_even_background() -> None:
    image = np.full((1, 32, 32, 3), 40, dtype=np.uint8)
    image[0, 8:24, 8:20] = 200
    frame = measured_properties(image)
    assert frame["object_size"][0] == pytest.approx(16 * 12 / 1024)
    assert frame["border_red"][0] == pytest.approx(40 / 255)


def test_blur_lowers_sharpness_and_compressed_size(cifar10: tuple[Dataset, Dataset]) -> None:
    sharp = cifar10[1].pixels(slice(0, 20))
    coarse = sharp[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2)
    blurred = ((coarse.astype(int) + np.roll(coarse, 2, axis=1) + np.roll(coarse, 2, axis=2)) // 3).astype(
        np.uint8
    )
    before, after = measured_properties(sharp), measured_properties(blurred)
    assert (after["sharpness"] < before["sharpness"]).mean() > 0.9
    assert (after["compressed_size"] < before["compressed_size"]).mean() > 0.9


def test_blocks_change_nothing(pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measured_properties(pixels)
    monkeypatch.setattr(image_properties, "BLOCK", 4)
    assert whole.equals(measured_properties(pixels))


def test_no_images_give_no_rows() -> None:
    assert measured_properties(np.zeros((0, 8, 8, 3), dtype=np.uint8)).shape == (
        0,
        len(UNITS),
    )
