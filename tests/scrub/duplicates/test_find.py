"""Planted near-duplicates of every kind are found within and across splits; strangers are not."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_digits

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.images.resize import resize
from deepsight.scrub.duplicates import clusters
from deepsight.scrub.duplicates.find import find_duplicates
from deepsight.scrub.duplicates.image_pool import Pool
from deepsight.scrub.duplicates.pictures import duplicate_pictures
from deepsight.scrub.duplicates.repeated_rows import repeated_rows

N = 250


def dataset(images: np.ndarray, source: str) -> Dataset:
    n = len(images)
    return Dataset(images, np.zeros(n, dtype=np.int64), ("a", "b"), np.arange(n) * 2, source)


def plant(image: np.ndarray, kind: int) -> np.ndarray:
    """The image again: mirrored, shifted, dimmed, recoloured or cropped and enlarged."""
    if kind == 0:
        return image[:, ::-1]
    if kind == 1:
        return np.pad(image, ((0, 3), (2, 0), (0, 0)), mode="reflect")[3:, :32]
    if kind == 2:
        return (image * 0.6 + 25).astype(np.uint8)
    if kind == 3:
        return np.clip(image * np.array([1.15, 0.9, 0.8]), 0, 255).astype(np.uint8)
    return image[2:30, 2:30].repeat(8, 0).repeat(8, 1)[3::7, 3::7]


@pytest.fixture(scope="module")
def planted(cifar10) -> tuple[dict[str, Dataset], set[tuple[int, int]]]:
    """250 rows of each; train rows 0 to 19 repeat test rows 40 to 59, train 30 and 31 equal test 70."""
    train, test = (part.pixels(np.arange(N)).copy() for part in cifar10)
    for row in range(20):
        train[row] = plant(test[40 + row], row % 5)
    train[30] = test[70]
    train[31] = test[70]
    clusters = {(2 * (40 + row), 2 * row) for row in range(20)}
    return {"train": dataset(train, "train"), "test": dataset(test, "test")}, clusters


@pytest.fixture(scope="module")
def found(planted):
    return find_duplicates(planted[0], seed=0)


def flagged(table) -> set[tuple[int, int]]:
    frame = table.frame.filter(
        pl.col("flagged") & (pl.col("split_a") == "test") & (pl.col("split_b") == "train")
    )
    return set(frame.select("index_a", "index_b").rows())


def test_planted_near_duplicates_are_flagged_and_nothing_else_is(planted, found):
    exact = {(140, 60), (140, 62)}
    assert flagged(found) >= planted[1]
    assert len(flagged(found) - planted[1] - exact) <= 1
    Evidence().add(duplicates=found)
    assert found.n == 2 * N


def test_exact_copies_are_certain_and_in_one_cluster(found):
    exact = found.frame.filter(pl.col("kind") == "exact")
    assert exact.select("split_a", "index_a", "split_b", "index_b").rows() == [
        ("test", 140, "train", 60),
        ("test", 140, "train", 62),
    ]
    assert exact["score"].to_list() == [1.0, 1.0]
    assert exact["cluster"].n_unique() == 1


def test_mirrored_near_duplicates_say_so(found, planted):
    frame = found.frame.filter((pl.col("split_b") == "train") & pl.col("index_b").is_in([0, 10, 20, 30]))
    twins = frame.filter(pl.col("index_a") == 80 + pl.col("index_b"))
    assert twins["mirrored"].all()
    assert len(twins) == 4


def test_a_clean_set_has_no_near_duplicates(cifar10):
    # Rows of the test set that are in no pair of the published list of near-duplicates.
    images = cifar10[1].pixels(np.r_[250:500])
    table = find_duplicates(
        {"train": dataset(images[:125], "train"), "test": dataset(images[125:], "test")}, seed=0
    )
    assert table.frame["flagged"].sum() == 0
    assert repeated_rows(table, of="train", within=("test",)).tolist() == []


def test_known_near_duplicates_of_the_test_set_are_found(cifar10):
    # Pairs 0 to 5 of the published near-duplicates within CIFAR-10's test set, among 200 other rows.
    known = [(2801, 5976), (3033, 6086), (3813, 4881), (3723, 4766), (3045, 4259), (2485, 6192)]
    rows = np.unique(np.r_[np.ravel(known), 0:200])
    table = find_duplicates({"test": cifar10[1].select(rows)}, seed=0)
    found = set(table.frame.filter("flagged").select("index_a", "index_b").rows())
    assert set(known) <= found
    assert len(found) <= len(known) + 1


def test_repeated_rows_by_cluster(planted, found):
    train = repeated_rows(found, of="train", within=("val", "test"))
    test = repeated_rows(found, of="test", within=("train",))
    assert set(train.tolist()) >= {60, 62}
    assert len(train) >= len(test) + 1
    assert (np.diff(train) > 0).all()
    assert repeated_rows(found, of="train", within=("val",)).tolist() == []


def test_features_bring_candidates_that_pixels_do_not(planted, monkeypatch):
    parts, twins = planted
    for dial in ("SLOPES_SIMILAR", "PICTURE_SIMILAR"):
        monkeypatch.setattr(f"deepsight.scrub.duplicates.matching.{dial}", 2.0)  # pixels alone find nothing
    assert flagged(find_duplicates(parts, seed=0)) == {(140, 60), (140, 62)}
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(N, 90)) for name in parts}
    features["train"][:20] = features["test"][40:60]
    assert len(flagged(find_duplicates(parts, features=features, seed=0)) & twins) >= 15


def test_every_pair_of_a_cluster_is_registered(cifar10, monkeypatch):
    base = cifar10[1].pixels(7)
    family = [np.clip(base * gain, 0, 255).astype(np.uint8) for gain in np.linspace(0.7, 1.0, 8)]
    images = np.concatenate([family, cifar10[1].pixels(np.arange(100, 300))])
    monkeypatch.setattr("deepsight.scrub.duplicates.matching.SLOPES", 2)
    whole = find_duplicates({"test": dataset(images, "test")}, seed=0).frame
    assert len(whole.filter(pl.col("flagged") & (pl.col("index_b") < 16))) == 8 * 7 / 2
    monkeypatch.setattr(clusters, "CLOSED", 1)
    assert len(find_duplicates({"test": dataset(images, "test")}, seed=0).frame) < len(whole)


def test_deterministic_and_inputs_not_mutated(planted, found):
    before = {name: part.pixels().copy() for name, part in planted[0].items()}
    assert find_duplicates(planted[0], seed=0).frame.equals(found.frame)
    for name, part in planted[0].items():
        np.testing.assert_array_equal(part.pixels(), before[name])


def test_wrong_features_and_shapes_are_refused(planted):
    parts, _ = planted
    with pytest.raises(DeepSightError, match="Expected features of shape"):
        find_duplicates(parts, features={"train": np.zeros((N, 4)), "test": np.zeros((N - 1, 4))}, seed=0)
    with pytest.raises(DeepSightError, match="Expected features of shape"):
        find_duplicates(parts, features={"train": np.zeros((N, 4))}, seed=0)
    small = dataset(np.zeros((4, 8, 8, 3), dtype=np.uint8), "test")
    with pytest.raises(DeepSightError, match="one shape"):
        find_duplicates({"train": parts["train"], "test": small}, seed=0)


def test_pool_reads_any_order_across_splits(planted):
    pool = Pool(planted[0])
    rows = np.array([N + 3, 0, 2 * N - 1, N - 1])
    assert pool.names(rows) == ["test", "train", "test", "train"]
    assert pool.ids(rows).tolist() == [6, 0, 2 * (N - 1), 2 * (N - 1)]
    expected = planted[0]["test"].pixels(3).transpose(2, 0, 1)
    np.testing.assert_array_equal(pool.read(rows)[0].numpy(), expected)


@pytest.mark.parametrize("side", [8, 28, 48, 96, pytest.param(224, marks=pytest.mark.slow)])
def test_near_duplicates_are_found_and_drawn_at_every_side(cifar10, side):
    stored = torch.from_numpy(cifar10[1].pixels(np.arange(120))).permute(0, 3, 1, 2).float()
    images = resize(stored, side).round().clamp(0, 255).permute(0, 2, 3, 1).numpy().astype(np.uint8)
    images[:8] = np.clip(images[20:28] * 0.8 + 12, 0, 255).astype(np.uint8)
    parts = {"train": dataset(images[:60], "train"), "test": dataset(images[60:], "test")}
    table = find_duplicates(parts, seed=0)
    pairs = {(row // 2, 20 + row // 2) for row in range(0, 16, 2)}
    found = table.frame.filter(pl.col("flagged") & (pl.col("split_a") == "train"))
    assert {(min(i, j) // 2, max(i, j) // 2) for i, j in found.select("index_a", "index_b").rows()} == pairs
    assert list(duplicate_pictures(table.frame, parts)) == ["evidence/pictures/duplicates.webp"]


@pytest.mark.slow
def test_handwritten_digits_are_no_near_duplicates_and_copies_among_them_are():
    data = load_digits()
    images = np.repeat((data.images[:400, ..., None] * 15.9).astype(np.uint8), 3, axis=3)
    labels = data.target[:400].astype(np.int64)
    clean = Dataset(images, labels, tuple("0123456789"), np.arange(400), "train")
    assert find_duplicates({"train": clean}, seed=0).frame["flagged"].sum() == 0
    mixed = images.copy()
    mixed[:12] = np.clip(images[100:112] * 0.85 + 15, 0, 255).astype(np.uint8)
    found = find_duplicates({"train": replace(clean, images=mixed)}, seed=0).frame.filter("flagged")
    pairs = set(found.select("index_a", "index_b").rows())
    assert len(pairs & {(row, 100 + row) for row in range(12)}) >= 10
    assert len(pairs) <= 13
