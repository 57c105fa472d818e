"""Maps in memory are drawn from like cached ones, and are not mixed as pixels."""

import numpy as np
import pytest
import torch

from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.model.training.training_views import HeldMaps, mixed_views

MAPS = np.random.default_rng(0).normal(size=(6, 3, 3, 4)).astype(np.float16)
ROWS = np.array([5, 0, 0])
PIXELS = Recipe(mix="cutmix", mix_on="images")


def test_maps_in_memory_are_the_same_for_every_view_and_in_the_order_of_the_rows() -> None:
    held = HeldMaps(MAPS)
    assert len(held) == 6
    assert held.view(0) is held.view(3)
    batch = held.batch(1, ROWS)
    assert batch.dtype == torch.float32
    assert np.array_equal(batch.numpy(), MAPS[ROWS].transpose(0, 3, 1, 2))
    assert np.array_equal(held.select(ROWS).batch(0, np.array([1])).numpy(), held.batch(0, ROWS[1:2]).numpy())


def test_pooled_features_are_maps_of_one_cell() -> None:
    features = np.random.default_rng(1).normal(size=(4, 7)).astype(np.float32)
    batch = HeldMaps(features[:, None, None, :]).batch(0, np.array([2]))
    assert batch.shape == (1, 7, 1, 1)
    assert np.array_equal(batch.flatten().numpy(), features[2])


def test_only_views_with_images_are_mixed_as_pixels() -> None:
    assert mixed_views(HeldMaps(MAPS), Recipe()) is None
    with pytest.raises(UsageError, match="received maps alone"):
        mixed_views(HeldMaps(MAPS), PIXELS)
