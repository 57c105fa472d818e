"""From the last maps of a network to the input of its head."""

from torch import Tensor


def pooled_maps(maps: Tensor) -> Tensor:
    """Features (b, d): the mean over positions of the last maps (b, d, h, w); features are returned as is."""
    return maps.mean((2, 3)) if maps.ndim == 4 else maps
