"""What a training draws its batches from: maps of the training images after the frozen stages."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deepsight.core.array_types import Ints
from deepsight.core.errors import UsageError
from deepsight.core.recipe import Recipe
from deepsight.model.cached_views import CachedViews, as_input
from deepsight.model.training.sampling import Mixing


class TrainingViews(Protocol):
    """Maps of n training images by view and row. A view is one augmentation of all images."""

    def __len__(self) -> int: ...

    def view(self, number: int) -> NDArray[Any]:
        """All maps of a view, (n, h, w, c)."""

    def batch(self, view: int, rows: Ints) -> Tensor:
        """Maps of these rows, float32 (b, c, h, w), or tokens (b, t, d)."""

    def select(self, rows: Ints) -> "TrainingViews":
        """The maps of some of the rows only."""


class HeldMaps:
    """Maps in memory; every view is that of the images without augmentation.

    Args:
        maps: (n, h, w, c), tokens (n, t, d), or pooled features as (n, 1, 1, d).
    """

    def __init__(self, maps: NDArray[np.floating]) -> None:
        self._maps = maps

    def __len__(self) -> int:
        return len(self._maps)

    def view(self, number: int) -> NDArray[np.floating]:
        """All maps, the same for every view."""
        return self._maps

    def batch(self, view: int, rows: Ints) -> Tensor:
        """Maps of these rows, float32 (b, c, h, w), channels last in memory; tokens (b, t, d)."""
        return as_input(self._maps[rows])

    def select(self, rows: Ints) -> "HeldMaps":
        """The maps of some of the rows only."""
        return HeldMaps(self._maps[rows])


def mixed_views(views: TrainingViews, recipe: Recipe) -> CachedViews | None:
    """Views of the same images that are mixed as pixels; None if the recipe mixes no pixels.

    Raises:
        UsageError: the views hold maps without their images.
    """
    if not recipe.mixes_images:
        return None
    if not isinstance(views, CachedViews):
        raise UsageError("Expected images to mix as pixels, received maps alone. Set mix_on to 'maps'.")
    return views.mixed(Mixing.of(recipe))
