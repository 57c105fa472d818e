"""The interface of an attribution method on one model, for the faithfulness checks and the tables."""

from collections.abc import Sequence
from typing import Protocol

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.exact_cam import ExactMaps


class Attributor(Protocol):
    """Signed maps by one method at one layer.

    `maps` returns (n, c, h, w) for the classes (n, c) of each image. `exact` returns the maps of all classes
    with the logits that they sum to, or None for a method that is not exact. `depths` names the depths to
    which weights can be randomised from the head down, shallow to deep; it is empty without access to the
    weights. `randomised_maps` returns (s, n, c, h, w) for s seeds. `for_mosaics` is the same method for
    mosaics of tiles × tiles images.
    """

    @property
    def layer(self) -> Layer: ...

    @property
    def method(self) -> str: ...

    @property
    def depths(self) -> Sequence[str]: ...

    def maps(self, images: Pixels, classes: Ints, /) -> Floats32: ...

    def exact(self, images: Pixels, /) -> ExactMaps | None: ...

    def randomised_maps(
        self, images: Pixels, classes: Ints, /, *, depth: str, seeds: Sequence[int]
    ) -> Floats32: ...

    def for_mosaics(self, tiles: int, /) -> "Attributor": ...


def family_name(attributor: Attributor) -> str:
    """Method and layer, as captions name them."""
    return f"{attributor.method} at {attributor.layer.name}"
