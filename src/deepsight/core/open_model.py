"""The contract of a model whose inside can be examined."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from torch import Tensor, nn

from deepsight.core.array_types import Floats32, Pixels, Reals

Predict = Callable[[Pixels], Reals]  # uint8 images (m, h, w, 3) to logits (m, k)


class OpenModel(Protocol):
    """A chain of stages, then average pooling and a linear head.

    `sides` names the stages from shallow to deep, with the number of cells along one side of each map.
    `map_batches` gives the last maps (b, d, h, w), `stage_maps` those of any stage. `from_stage` is the rest
    of the network as named parts, the last of which is "head". `of_mosaics` is the same model for mosaics of
    t × t images.
    """

    @property
    def weight(self) -> Floats32: ...

    @property
    def bias(self) -> Floats32: ...

    def logits(self, pixels: Pixels, /) -> Floats32: ...

    def sides(self) -> Mapping[str, int]: ...

    def map_batches(self, pixels: Pixels, /) -> Iterator[Tensor]: ...

    def stage_maps(self, stage: str, pixels: Pixels, /) -> Tensor: ...

    def from_stage(self, stage: str, /) -> nn.Sequential: ...

    def of_mosaics(self, tiles: int, /) -> "OpenModel": ...
