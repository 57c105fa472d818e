"""The contract of a model whose inside can be looked at."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from deepsight.core.array_types import Pixels


class OpenModel(Protocol):
    """A model that can be opened: stages in a chain, then an average pooling and a linear head.

    `sides` names the stages, shallow to deep, with the cells along one side of each one's map; `map_batches`
    gives the last maps (b, d, h, w), `stage_maps` those of any stage; `from_stage` is the rest of the network
    as named parts, the last of which is "head"; `of_mosaics` is the same model for mosaics of t × t images.
    """

    @property
    def weight(self) -> NDArray[np.float32]: ...

    @property
    def bias(self) -> NDArray[np.float32]: ...

    def logits(self, pixels: Pixels, /) -> NDArray[np.float32]: ...

    def sides(self) -> Mapping[str, int]: ...

    def map_batches(self, pixels: Pixels, /) -> Iterator[Tensor]: ...

    def stage_maps(self, stage: str, pixels: Pixels, /) -> Tensor: ...

    def from_stage(self, stage: str, /) -> nn.Sequential: ...

    def of_mosaics(self, tiles: int, /) -> "OpenModel": ...
