"""GrabCut masks on pictures whose object is known, and the clean controls."""

import cv2
import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.grabcut import Masks, largest_part, segment_objects


@pytest.fixture(scope="module")
def discs() -> tuple[np.ndarray, np.ndarray]:
    """Red discs on a green ground with noise, and where the discs are."""
    y, x = np.mgrid[:32, :32]
    inside = (y - 16) ** 2 + (x - 15) ** 2 < 64
    noise = np.random.default_rng(0).normal(0, 12, size=(3, 32, 32, 3))
    clean = np.where(inside[..., None], (200, 60, 50), (60, 140, 70))
    return np.clip(clean + noise, 0, 255).astype(np.uint8), inside


def test_finds_a_planted_object(discs: tuple[np.ndarray, np.ndarray]) -> None:
    images, inside = discs
    masks = segment_objects(images)
    found = masks.cover(32, 32) > 0.5
    overlap = (found & inside).sum(axis=(1, 2)) / (found | inside).sum(axis=(1, 2))
    assert masks.accepted.all()
    assert overlap.min() > 0.85


def test_a_picture_of_one_colour_has_no_object() -> None:
    masks = segment_objects(np.full((2, 32, 32, 3), 127, dtype=np.uint8))
    assert not masks.accepted.any()


def test_same_seed_same_masks_and_images_untouched(cifar10: tuple[Dataset, Dataset]) -> None:
    images = cifar10[1].pixels(slice(0, 6))
    before = images.copy()
    first, second = segment_objects(images, seed=3), segment_objects(images, seed=3)
    assert np.array_equal(first.inside, second.inside)
    assert np.array_equal(images, before)
    area = first.area()
    assert ((area >= 0.05) & (area <= 0.85) == first.accepted).all()
    assert first.accepted.any()


def test_the_number_of_threads_changes_no_mask(cifar10: tuple[Dataset, Dataset]) -> None:
    images, threads = cifar10[1].pixels(slice(0, 6)), cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = segment_objects(images)
        cv2.setNumThreads(3)
        together = segment_objects(images)
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(alone.inside, together.inside)


def test_cover_keeps_the_area(discs: tuple[np.ndarray, np.ndarray]) -> None:
    masks = segment_objects(discs[0])
    for side in (4, 8, 32):
        np.testing.assert_allclose(masks.cover(side, side).mean(axis=(1, 2)), masks.area(), atol=1e-6)


def test_largest_part_alone_is_kept() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:10, 2:10] = True
    mask[15:17, 15:17] = True
    kept = largest_part(mask)
    assert kept[2:10, 2:10].all()
    assert kept.sum() == 64
    assert not largest_part(np.zeros((5, 5), dtype=bool)).any()


def test_grown_and_shrunk_hold_each_other() -> None:
    mask = np.zeros((1, 20, 20), dtype=bool)
    mask[0, 6:14, 6:14] = True
    masks = Masks(mask, np.ones(1, dtype=bool))
    larger, smaller = masks.grown(2).inside, masks.grown(-2).inside
    assert (larger & mask).sum() == mask.sum() < larger.sum()
    assert (smaller & ~mask).sum() == 0 < smaller.sum() < mask.sum()


def test_a_mask_and_its_flag_belong_together() -> None:
    with pytest.raises(DeepSightError):
        Masks(np.zeros((3, 4, 4), dtype=bool), np.ones(2, dtype=bool))
