"""The index finds what the exact search finds, nearly always; without its library the search is exact."""

import numpy as np
import pytest
import torch

from deepsight.core.dataset import Dataset
from deepsight.scrub.duplicates import ann_index, candidates, find
from deepsight.scrub.duplicates.candidates import neighbour_pairs
from deepsight.scrub.duplicates.descriptor import Descriptor, describe_images, gradient_halves

N, COPIES = 2_000, 200
Pairs = set[tuple[int, int]]


@pytest.fixture(scope="module")
def pixels(cifar10) -> np.ndarray:
    """Images, then copies of the first of them, every other one mirrored, moved two pixels and darker."""
    images = cifar10[1].pixels(np.arange(N))
    copies = (np.roll(images[:COPIES], 2, axis=2) * 0.8).astype(np.uint8)
    copies[::2] = copies[::2, :, ::-1]
    return np.concatenate([images, copies])


@pytest.fixture(scope="module")
def described(pixels) -> Descriptor:
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return describe_images(lambda rows: images[rows], len(images), halves=gradient_halves, length=64, seed=0)


@pytest.fixture
def indexed(monkeypatch):
    """An index at any number of images, which looks into few of its cells."""
    monkeypatch.setattr(candidates, "EXACT", 0)
    monkeypatch.setattr(ann_index, "PROBES", 10)


def pairs_of(described: Descriptor, *, at_least: float, seed: int = 0) -> Pairs:
    i, j = neighbour_pairs(described, count=6, at_least=at_least, seed=seed)
    return set(zip(i.tolist(), j.tolist(), strict=True))


def test_what_is_near_is_found_as_is_and_mirrored(described, indexed, monkeypatch):
    found = pairs_of(described, at_least=0.83)
    monkeypatch.setattr(candidates, "EXACT", N + COPIES)
    exact = pairs_of(described, at_least=0.83)
    assert len(exact) > COPIES / 2
    assert len(exact & found) >= 0.95 * len(exact)
    assert len(found - exact) <= 0.02 * len(exact)
    copies = {(row, row + N) for row in range(COPIES)} & exact
    mirrored = {pair for pair in copies if pair[0] % 2 == 0}
    assert mirrored
    assert len(mirrored & found) >= 0.95 * len(mirrored)


def test_similarities_are_those_of_the_better_of_both_ways(described):
    rows = np.arange(300, 340)
    similarity, place = ann_index.Index(described, seed=0).nearest_to(rows, count=5)
    even, odd = described.even, described.odd
    for row, near, value in zip(rows, place, similarity, strict=True):
        expected = even[near] @ even[row] + torch.abs(odd[near] @ odd[row])
        assert row not in near
        assert (value <= expected + 1e-5).all()
        torch.testing.assert_close(value[0], expected[0], atol=1e-5, rtol=0)


def test_the_seed_decides(described, indexed):
    first = pairs_of(described, at_least=0.0)
    assert pairs_of(described, at_least=0.0) == first
    assert pairs_of(described, at_least=0.0, seed=1) != first


def test_without_the_library_the_search_is_exact(described, indexed, monkeypatch):
    monkeypatch.setattr(ann_index, "available", lambda: False)
    without = pairs_of(described, at_least=0.0)
    monkeypatch.setattr(candidates, "EXACT", N + COPIES)
    assert pairs_of(described, at_least=0.0) == without


def test_the_table_says_how_it_searched(pixels, indexed, monkeypatch):
    labels, ids = np.zeros(600, dtype=np.int64), np.arange(600)
    rows = np.r_[0:500, N : N + 100]
    data = Dataset(pixels[rows], labels, ("thing", "other"), ids, "test")
    by_index = find.find_duplicates({"train": data}, seed=0)
    monkeypatch.setattr(candidates, "EXACT", 600)
    exact = find.find_duplicates({"train": data}, seed=0)
    assert "inverted file" in by_index.method
    assert "inverted file" not in exact.method
    twins = [set(t.frame.filter("flagged").select("index_a", "index_b").rows()) for t in (by_index, exact)]
    assert len(twins[1]) > 80
    assert len(twins[0] & twins[1]) >= 0.95 * len(twins[1])


def test_the_search_is_expected_to_grow_with_n_squared_and_less_with_an_index(monkeypatch):
    n, most = 1_000_000, candidates.EXACT
    assert candidates.comparisons(most) == most**2
    assert candidates.comparisons(n) == pytest.approx(most**2 * (n / most) ** 1.5)
    monkeypatch.setattr(ann_index, "available", lambda: False)
    assert candidates.comparisons(n) == n**2
