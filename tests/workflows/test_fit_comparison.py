"""Which images a probe recognises in each fit: from their own features, never from those of their group."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.core.recipe import Recipe
from deepsight.model.frozen_backbone import FrozenBackbone
from deepsight.obtain.crop_or_pad import FittedPictures
from deepsight.workflows.fit_comparison import recognised_by_fit

GROUPS, EACH = 30, 8
GROUP = np.repeat(np.arange(GROUPS), EACH)
LABELS = np.random.default_rng(0).permutation(np.arange(GROUPS) % 2)[GROUP]


def backbone() -> FrozenBackbone:
    """Its features of an image are the values of the pixels."""

    def features(pixels: np.ndarray, recipe: Recipe) -> np.ndarray:
        return pixels.reshape(len(pixels), -1).astype(np.float32)

    return cast(FrozenBackbone, SimpleNamespace(features=features))


def recognised(pixels: np.ndarray, groups: np.ndarray | None) -> float:
    said: list[object] = []
    pictures = FittedPictures({"crop": pixels}, LABELS, groups)
    right = recognised_by_fit(backbone, pictures, log=said.append)["crop"]
    assert not said
    return float(right.mean())


def test_copies_are_not_recognised_by_their_copies() -> None:
    """Noise, eight copies of each image: with groups the labels cannot be learnt."""
    noise = np.random.default_rng(1).integers(0, 256, (GROUPS, 4, 5, 3), dtype=np.uint8)[GROUP]
    assert recognised(noise, None) == 1
    assert recognised(noise, GROUP) < 0.7


@pytest.mark.parametrize("groups", [None, GROUP])
def test_what_tells_the_classes_apart_is_recognised_with_and_without_groups(
    groups: np.ndarray | None,
) -> None:
    pixels = np.random.default_rng(2).integers(0, 100, (len(LABELS), 4, 5, 3), dtype=np.uint8)
    pixels[LABELS == 1, 0] += 100
    assert recognised(pixels, groups) > 0.95


def test_without_a_backbone_pictures_are_cropped() -> None:
    def missing() -> FrozenBackbone:
        raise DeepSightError("Expected weights.")

    said: list[object] = []
    pixels = np.zeros((len(LABELS), 4, 4, 3), np.uint8)
    found = recognised_by_fit(
        missing, FittedPictures({"crop": pixels, "pad": pixels}, LABELS, None), log=said.append
    )
    assert found["crop"].all()
    assert not found["pad"].any()
    assert "not compared" in str(said[0])
