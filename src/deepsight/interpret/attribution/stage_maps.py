"""Maps of a chain of stages: the exact closed form before the pooling, HiResCAM at earlier stages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.open_model import OpenModel
from deepsight.interpret.attribution.cam import Layer, layer_for
from deepsight.interpret.attribution.exact_cam import ExactMaps, exact_maps
from deepsight.interpret.faithfulness.model_randomisation import maps_at_part, randomised_copy

CLOSED_FORM = "closed form"
HEAD = "head"


@dataclass(frozen=True)
class StageMaps:
    """The maps of a chain of stages at one of them.

    Attributes:
        model: the chain.
        layer: one of its stages.
    """

    model: OpenModel
    layer: Layer

    @staticmethod
    def of(model: OpenModel) -> "StageMaps":
        """At the deepest stage with enough cells.

        Raises:
            DeepSightError: no stage has enough.
        """
        return StageMaps(model, layer_for(model.sides()))

    @property
    def method(self) -> str:
        """Exact at the last stage, by gradients before it."""
        return map_method(self.model, self.layer)

    @property
    def depths(self) -> tuple[str, ...]:
        """The head, the later half of the network, and all but its stem."""
        stages = list(self.model.sides())
        return tuple(dict.fromkeys((HEAD, stages[(len(stages) + 1) // 2], stages[1])))

    def maps(self, images: Pixels, classes: Ints) -> Floats32:
        """See `class_maps`."""
        return class_maps(self.model, self.layer, images, classes)

    def exact(self, images: Pixels) -> ExactMaps | None:
        """The exact maps of all classes, or None where the maps are made at an earlier stage."""
        return exact_maps(self.model, images) if self.method == CLOSED_FORM else None

    def randomised_maps(self, images: Pixels, classes: Ints, *, depth: str, seeds: Sequence[int]) -> Floats32:
        """Maps (s, n, c, h, w) of copies with random weights from the head up to the stage `depth`.

        The network runs once, up to where the copies begin to differ or up to the layer of the maps,
        whichever comes first.
        """
        stages = list(self.model.sides())
        here = stages.index(self.layer.name)
        start = min(here, (stages.index(depth) if depth != HEAD else len(stages)) - 1)
        rest, maps = self.model.from_stage(stages[start]), self.model.stage_maps(stages[start], images)
        copies = (randomised_copy(rest, depth, seed=seed) for seed in seeds)
        return np.stack([maps_at_part(copy, here - start, maps, classes) for copy in copies])

    def for_mosaics(self, tiles: int) -> "StageMaps":
        """The same maps for mosaics, in which each tile is as large as a single image."""
        return StageMaps(self.model.of_mosaics(tiles), self.layer)


def map_method(model: OpenModel, layer: Layer) -> str:
    """The method of the maps at this layer: exact at the last one, by gradients before it."""
    return CLOSED_FORM if layer.name == list(model.sides())[-1] else "HiResCAM"


def class_maps(model: OpenModel, layer: Layer, images: Pixels, classes: Ints) -> Floats32:
    """Signed maps (n, c, h, w) for the given classes (n, c) of each image.

    Raises:
        DeepSightError: the maps of the closed form do not sum to the model's own logits.
    """
    if map_method(model, layer) == CLOSED_FORM:
        maps = exact_maps(model, images).maps
        return np.asarray(maps[np.arange(len(maps))[:, None], classes])
    return maps_at_part(model.from_stage(layer.name), 0, model.stage_maps(layer.name, images), classes)
