"""What a model under examination must offer, from predictions alone to a chain of stages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from deepsight.core.array_types import Floats32, Pixels, Reals

Predict = Callable[[Pixels], Reals]  # uint8 images (m, h, w, 3) to logits (m, k)
# Called with the name and the output of each module that runs; may return a tensor to use instead.
Visit = Callable[[str, Tensor], Tensor | None]


class AskedModel(Protocol):
    """A black box: images in, logits out."""

    def logits(self, pixels: Pixels, /) -> Floats32: ...


@runtime_checkable
class DifferentiableModel(Protocol):
    """A torch module whose gradients and intermediate outputs can be used.

    `parameters` returns each module's own tensors by the module's name. `batches` turns images into inputs,
    batch by batch; with `tiles` above 1 the images are mosaics of tiles × tiles images, each preprocessed on
    its own. `scores` returns logits (b, k) of such inputs, with gradients. Inside `watch(visit)`, `visit` is
    called for each module that runs.
    """

    def parameters(self) -> Mapping[str, Sequence[Tensor]]: ...

    def logits(self, pixels: Pixels, /) -> Floats32: ...

    def batches(self, pixels: Pixels, /, *, tiles: int = 1) -> Iterator[Tensor]: ...

    def scores(self, inputs: Tensor, /) -> Tensor: ...

    def watch(self, visit: Visit, /) -> AbstractContextManager[None]: ...


@runtime_checkable
class OpenModel(Protocol):
    """A chain of stages followed by average pooling and a linear head.

    `sides` maps the stages, from shallow to deep, to the number of cells along one side of their maps.
    `map_batches` yields the last maps (b, d, h, w), `stage_maps` returns those of any stage. `from_stage` is
    the rest of the network as named parts, the last of which is "head". `of_mosaics` is the same model for
    mosaics of tiles × tiles images.
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
