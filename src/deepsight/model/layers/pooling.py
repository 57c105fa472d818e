"""From the last maps of a network to the features that its head sees."""

from torch import Tensor


def pooled_maps(maps: Tensor) -> Tensor:
    """Features (b, d) of the last maps (b, d, h, w), by their mean; features pass as they are."""
    return maps.mean((2, 3)) if maps.ndim == 4 else maps
