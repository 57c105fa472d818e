"""Similarity by halves equals that of whole images, mirrored or not; the search equals brute force."""

import numpy as np
import pytest
import torch

from deepsight.scrub.duplicates import candidates, descriptor
from deepsight.scrub.duplicates.candidates import describe_features, distinct_pairs, neighbour_pairs
from deepsight.scrub.duplicates.descriptor import (
    Descriptor,
    describe_images,
    gradient_halves,
    gradient_histograms,
    thumbnail_halves,
)


@pytest.fixture(scope="module")
def images(cifar10) -> torch.Tensor:
    return torch.from_numpy(cifar10[1].pixels(np.arange(300))).permute(0, 3, 1, 2).float()


def described(images, halves=gradient_halves, length=64):
    return describe_images(lambda rows: images[rows], len(images), halves=halves, length=length, seed=0)


@pytest.mark.parametrize("halves", [gradient_halves, thumbnail_halves])
def test_halves_give_the_products_with_the_image_and_its_mirror(images, halves):
    even, odd = halves(images[:40])
    turned_even, turned_odd = halves(images[:40].flip(-1))
    torch.testing.assert_close(turned_even, even, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned_odd, -odd, atol=1e-4, rtol=0)
    whole, mirrored = even + odd, turned_even + turned_odd
    upright, across = whole @ whole.T, whole @ mirrored.T
    torch.testing.assert_close(even @ even.T + odd @ odd.T, upright, atol=1e-4, rtol=0)
    torch.testing.assert_close(even @ even.T - odd @ odd.T, across, atol=1e-4, rtol=0)


def test_histograms_of_a_slope_lie_in_its_direction():
    x = torch.arange(32.0).expand(32, 32)
    for direction, slope in ((0, x), (1, x + x.T), (2, x.T), (4, -x), (7, x - x.T)):
        shares = gradient_histograms(slope.expand(1, 3, 32, 32)).square().sum(dim=(2, 3))[0]
        assert shares.argmax() == direction
        assert shares[direction] > 0.8
        assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_gain_offset_and_plain_images(images):
    cells = gradient_histograms(images[:5])
    torch.testing.assert_close(gradient_histograms(images[:5] * 0.6 + 30), cells, atol=1e-3, rtol=0)
    torch.testing.assert_close(
        thumbnail_halves(images[:5] * 0.6 + 30)[0], thumbnail_halves(images[:5])[0], atol=1e-4, rtol=0
    )
    for plain in (
        gradient_histograms(torch.full((1, 3, 32, 32), 90.0)),
        thumbnail_halves(torch.full((1, 3, 32, 32), 90.0))[0],
    ):
        assert plain.abs().max() == pytest.approx(0, abs=1e-3)


def test_projection_keeps_similarities_and_does_not_depend_on_blocks(images, monkeypatch):
    made = described(images)
    assert made.even.shape[1] + made.odd.shape[1] == 64
    even, odd = gradient_halves(images)
    whole = torch.nn.functional.normalize(even - even.mean(dim=0) + odd)
    received = made.even @ made.even.T + made.odd @ made.odd.T
    torch.testing.assert_close(received, whole @ whole.T, atol=0.05, rtol=0)
    monkeypatch.setattr(descriptor, "BLOCK", 37)
    torch.testing.assert_close(described(images).even, made.even, atol=1e-5, rtol=0)
    assert described(images, length=30).even.shape[1] < made.even.shape[1]


def test_copies_shifted_by_four_pixels_each_way_are_among_the_nearest(images):
    shifted = torch.nn.functional.pad(images[:100], (4, 0, 4, 0), mode="reflect")[:, :, :32, :32]
    i, j = neighbour_pairs(described(torch.cat([images, shifted])), count=6, at_least=0.0, seed=0)
    found = set(zip(i.tolist(), j.tolist(), strict=True))
    assert len({(row, row + 300) for row in range(100)} & found) >= 95


@pytest.mark.parametrize("halves", [gradient_halves, thumbnail_halves])
def test_a_mirrored_copy_is_recognised_as_such(images, halves):
    made = described(torch.cat([images[:50], images[:50].flip(-1)]), halves)
    i = np.arange(50)
    assert made.mirrored(i, i + 50).all()
    assert not made.mirrored(i, i).any()


@pytest.mark.parametrize("tile", [3, 17, 50, 120, 1024])
def test_neighbours_equal_brute_force(tile, monkeypatch):
    monkeypatch.setattr(candidates, "TILE", tile)
    rng = np.random.default_rng(2)
    even, odd = rng.normal(size=(120, 6)).astype(np.float32), rng.normal(size=(120, 5)).astype(np.float32)
    similarity = even @ even.T + np.abs(odd @ odd.T)
    np.fill_diagonal(similarity, -np.inf)
    expected = {
        (min(i, j), max(i, j))
        for i in range(120)
        for j in np.argsort(-similarity[i])[:4].tolist()
        if similarity[i, j] >= 5
    }
    i, j = neighbour_pairs(Descriptor(torch.tensor(even), torch.tensor(odd)), count=4, at_least=5.0, seed=0)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == expected
    assert len(i) == len(expected)


@pytest.mark.parametrize("n", [0, 1])
def test_no_pair_among_fewer_than_two_images(n: int):
    i, j = neighbour_pairs(Descriptor(torch.ones(n, 2), torch.zeros(n, 1)), count=6, at_least=0.0, seed=0)
    assert len(i) == len(j) == 0


def test_fewer_images_than_neighbours():
    i, j = neighbour_pairs(Descriptor(torch.ones(3, 2), torch.zeros(3, 1)), count=6, at_least=0.0, seed=0)
    assert list(zip(i, j, strict=True)) == [(0, 1), (0, 2), (1, 2)]


def test_features_are_centred_unit_vectors_that_keep_neighbours():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(200, 80)) + 50).astype(np.float16)
    features[100:] = features[:100] + rng.normal(scale=0.05, size=(100, 80)).astype(np.float16)
    made = describe_features(lambda rows: features[rows], 200, seed=0)
    torch.testing.assert_close(made.even.norm(dim=1), torch.ones(200))
    i, j = neighbour_pairs(made, count=1, at_least=0.9, seed=0)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == {(row, row + 100) for row in range(100)}


def test_distinct_orders_and_removes():
    i, j = distinct_pairs(np.array([[3, 1, 1], [1, 3, 2]]))
    assert (i.tolist(), j.tolist()) == ([1, 1], [2, 3])


def test_images_are_read_a_block_at_a_time_for_the_sample_too(images):
    asked = []

    def read(rows):
        asked.append(len(rows))
        return images[rows]

    made = describe_images(read, len(images), halves=gradient_halves, length=64, seed=0)
    assert max(asked) <= descriptor.BLOCK < len(images)
    assert sum(asked) == 2 * len(images)
    torch.testing.assert_close(made.even, described(images).even)
