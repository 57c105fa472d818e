"""The contract of a method of maps on one model: what the faithfulness checks and the tables need of it."""

from collections.abc import Sequence
from typing import Protocol

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.exact_cam import ExactMaps


class Attributor(Protocol):
    """Signed maps by one method at one layer.

    `maps` gives (n, c, h, w) for the classes (n, c) of each image. `exact` gives the maps of all classes with
    the logits that they sum to, or None for a method that is not exact. `depths` names how far from the head
    down the weights can be randomised, shallow to deep; it is empty where there are no weights to change, and
    `randomised_maps` gives (s, n, c, h, w) for s seeds. `for_mosaics` is the same method for mosaics of
    tiles × tiles images.
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
