"""The contracts of a model under examination: what can be asked of it, from the least to the most."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from deepsight.core.array_types import Floats32, Pixels, Reals

Predict = Callable[[Pixels], Reals]  # uint8 images (m, h, w, 3) to logits (m, k)


# Called with the name and the output of each module that runs; may return a tensor to use in its place.
Visit = Callable[[str, Tensor], Tensor | None]


class AskedModel(Protocol):
    """A model that answers: images in, logits out. Nothing is known about its inside."""

    def logits(self, pixels: Pixels, /) -> Floats32: ...


@runtime_checkable
class DifferentiableModel(Protocol):
    """A torch module whose gradients and intermediate outputs can be used.

    `parameters` gives the tensors that each named part holds itself. `batches` turns images into inputs,
    batch by batch; with `tiles` above 1 the images are mosaics of tiles × tiles images, each prepared as an
    image of its own. `scores` gives logits (b, k) for such inputs, with gradients. Inside `watch(visit)` each
    module that runs is reported.
    """

    def parameters(self) -> Mapping[str, Sequence[Tensor]]: ...

    def logits(self, pixels: Pixels, /) -> Floats32: ...

    def batches(self, pixels: Pixels, /, *, tiles: int = 1) -> Iterator[Tensor]: ...

    def scores(self, inputs: Tensor, /) -> Tensor: ...

    def watch(self, visit: Visit, /) -> AbstractContextManager[None]: ...


@runtime_checkable
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
