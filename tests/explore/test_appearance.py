"""Colour statistics and mean images against plain numpy, on real and on made images."""

import numpy as np
import polars as pl
import pytest

from deepsight.core.dataset import Dataset
from deepsight.explore import appearance


def made(images: np.ndarray, labels: list[int]) -> Dataset:
    n = len(images)
    return Dataset(images, np.array(labels, dtype=np.int64), ("a", "b"), np.arange(n), "test")


def test_statistics_are_those_of_numpy_on_real_images(cifar10: tuple[Dataset, Dataset]) -> None:
    data = cifar10[1].select(np.arange(300))
    frame = appearance.appearance_table(data).frame
    pixels = data.pixels() / 255
    row = frame.filter(pl.col("class") == "all").row(0, named=True)
    assert [row[f"{c}_mean"] for c in ("red", "green", "blue")] == pytest.approx(
        pixels.mean(axis=(0, 1, 2)), abs=1e-5
    )
    assert [row[f"{c}_sd"] for c in ("red", "green", "blue")] == pytest.approx(
        pixels.std(axis=(0, 1, 2)), abs=1e-5
    )
    luma = pixels @ [0.299, 0.587, 0.114]
    assert row["brightness"] == pytest.approx(luma.mean(), abs=1e-5)
    assert row["contrast"] == pytest.approx(luma.std(axis=(1, 2)).mean(), abs=1e-5)
    ships = frame.filter(pl.col("class") == "ship").row(0, named=True)
    assert ships["n"] == int((data.labels == 8).sum())
    assert ships["brightness"] == pytest.approx(luma[data.labels == 8].mean(), abs=1e-5)


def test_a_planted_dark_class_is_named() -> None:
    images = np.full((20, 8, 8, 3), 200, dtype=np.uint8)
    images[10:] = 30
    table = appearance.appearance_table(made(images, [0] * 10 + [1] * 10))
    assert table.caption == "b is darkest on average and a brightest."


def test_a_class_without_images_has_no_values() -> None:
    frame = appearance.appearance_table(made(np.zeros((3, 8, 8, 3), dtype=np.uint8), [0, 0, 0])).frame
    assert frame.filter(pl.col("class") == "b")["brightness"].to_list() == [None]


def test_mean_images_are_those_of_numpy(cifar10: tuple[Dataset, Dataset]) -> None:
    data = cifar10[1].select(np.arange(200))
    frame = appearance.mean_images(data).frame.filter(pl.col("class") == "cat")
    mean = frame.select("r", "g", "b").to_numpy().reshape(32, 32, 3)
    expected = data.pixels()[data.labels == 3].astype(float).mean(axis=0)
    assert np.abs(mean - expected).max() <= 0.51


def test_large_images_are_averaged_over_cells() -> None:
    images = np.zeros((2, 70, 64, 3), dtype=np.uint8)
    images[:, 0, 0] = 180
    frame = appearance.mean_images(made(images, [0, 0]), side=32).frame
    assert frame["row"].max() == 22
    assert frame["column"].max() == 20
    assert frame["r"][0] == 20


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(256, size=(50, 8, 8, 3), dtype=np.uint8)
    data = made(images, [0, 1] * 25)
    whole = appearance.appearance_table(data).frame, appearance.mean_images(data).frame
    monkeypatch.setattr(appearance, "BLOCK", 7)
    parts = appearance.appearance_table(data).frame, appearance.mean_images(data).frame
    assert whole[0].equals(parts[0])
    assert whole[1].equals(parts[1])


def test_a_very_oblong_image_keeps_a_row() -> None:
    images = np.zeros((2, 8, 512, 3), dtype=np.uint8)
    images[1] = 200
    frame = appearance.mean_images(made(images, [0, 1])).frame
    assert frame.filter(pl.col("class") == "b")["r"].unique().to_list() == [200]
    assert frame["row"].max() == 0
