"""Maps of any differentiable model: exact where its end is affine, else HiResCAM, Grad-CAM and LRP."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.open_model import DifferentiableModel
from deepsight.interpret.attribution.attention import AttentionRollout, PropagationRules, sees_attention
from deepsight.interpret.attribution.attributor import Attributor
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.exact_cam import ExactMaps
from deepsight.interpret.attribution.traced_layers import (
    MOST_PREFIX,
    GridLayer,
    cut_at,
    explaining_layers,
    gradients,
)

Method = Literal["closed form", "HiResCAM", "Grad-CAM", "gradient × token", "LRP"]
TOLERANCE = 1e-3  # of the completeness check, relative to what the maps have to explain
ROUNDING = 2e-6  # of a logit in single precision, relative to the largest or to 1


@dataclass(frozen=True)
class ModuleMaps:
    """Maps at one layer of a differentiable model.

    Attributes:
        model: the model.
        grid: the layer.
        method: how gradient and output of the layer are combined.
        tiles: along each side of an image that is a mosaic.
    """

    model: DifferentiableModel
    grid: GridLayer
    method: Method
    tiles: int = 1

    @property
    def layer(self) -> Layer:
        """Name and cells."""
        return self.grid.layer()

    def maps(self, images: Pixels, classes: Ints) -> Floats32:
        """Signed maps (n, c, h, w) for the classes (n, c) of each image."""
        found, start = [], 0
        for inputs in self.model.batches(images, tiles=self.tiles):
            asked = torch.from_numpy(classes[start : start + len(inputs)])
            start += len(inputs)
            found.append(self.of_batch(inputs, asked).cpu().numpy())
        return np.concatenate(found).astype(np.float32)

    def of_batch(self, inputs: Tensor, classes: Tensor) -> Tensor:
        """Maps (b, c, h, w) of prepared inputs."""
        rules: AbstractContextManager[object] = PropagationRules() if self.method == "LRP" else nullcontext()
        with rules:
            cut = cut_at(self.model, inputs, self.grid)
        output = self.grid.grid(cut.output.detach())
        gradient = gradients(cut, classes)
        return torch.stack(
            [self.combined(self.grid.grid(g), output) for g in gradient.unbind(1)], dim=1
        ).float()

    def combined(self, gradient: Tensor, output: Tensor) -> Tensor:
        """Maps (b, h, w) of one class."""
        weight = gradient.mean(dim=(2, 3), keepdim=True) if self.method == "Grad-CAM" else gradient
        return (weight * output).sum(dim=1)

    def exact(self, images: Pixels) -> ExactMaps | None:
        """The maps of all classes with their logits, checked to be complete; None for other methods.

        Raises:
            DeepSightError: the maps do not sum to the logits.
        """
        if self.method != "closed form":
            return None
        found = [self.exact_batch(inputs) for inputs in self.model.batches(images)]
        logits, features, maps = (
            np.concatenate(part).astype(np.float32) for part in zip(*found, strict=True)
        )
        return ExactMaps(logits, features, maps)

    def exact_batch(self, inputs: Tensor) -> tuple[Floats32, Floats32, Floats32]:
        """Logits, pooled outputs and maps of all classes of one batch."""
        cut = cut_at(self.model, inputs, self.grid)
        output, scores = self.grid.grid(cut.output.detach()), cut.scores.detach()
        maps = torch.einsum("kdhw,bdhw->bkhw", self.slopes, output)
        require_complete(maps, scores, self.bias)
        return scores.cpu().numpy(), output.mean(dim=(2, 3)).cpu().numpy(), maps.cpu().numpy()

    @cached_property
    def slopes(self) -> Tensor:
        """The gradient of each class score at the layer (k, d, h, w), which is the same for all images."""
        inputs = next(iter(self.model.batches(np.zeros((1, 32, 32, 3), dtype=np.uint8))))
        cut = cut_at(self.model, inputs, self.grid)
        classes = torch.arange(cut.scores.shape[1])[None]
        return self.grid.grid(gradients(cut, classes)[0]).detach()

    @cached_property
    def bias(self) -> Tensor:
        """The class scores (k,) with the layer's outputs set to zero."""
        inputs = next(iter(self.model.batches(np.zeros((1, 32, 32, 3), dtype=np.uint8))))
        return cut_at(self.model, inputs, self.grid, torch.zeros_like).scores.detach()[0]

    @cached_property
    def parts(self) -> list[tuple[str, list[Tensor]]]:
        """The parts that hold parameters, in the order in which they run."""
        order: dict[str, list[Tensor]] = {}
        inputs = next(iter(self.model.batches(np.zeros((1, 32, 32, 3), dtype=np.uint8))))

        def visit(name: str, _: Tensor) -> None:
            order.setdefault(name, [])

        with torch.no_grad(), self.model.watch(visit):
            self.model.scores(inputs)
        for name, tensors in self.model.parameters().items():
            owner = name
            while owner and owner not in order:
                owner = owner.rpartition(".")[0]
            if owner:
                order[owner] += tensors
        return [(name, tensors) for name, tensors in order.items() if tensors]

    @cached_property
    def depths(self) -> tuple[str, ...]:
        """The last part with parameters, the later half of them, and all but the first."""
        names = [name for name, _ in self.parts]
        return tuple(dict.fromkeys((names[-1], names[len(names) // 2], names[1]))) if len(names) > 1 else ()

    def randomised_maps(self, images: Pixels, classes: Ints, *, depth: str, seeds: Sequence[int]) -> Floats32:
        """Maps (s, n, c, h, w) with weights that are shuffled from the last part up to `depth`."""
        return self.with_shuffled_weights(lambda: self.maps(images, classes), depth, seeds)

    def with_shuffled_weights(
        self, explain: Callable[[], Floats32], depth: str, seeds: Sequence[int]
    ) -> Floats32:
        """The maps that `explain` makes while weights are shuffled from the last part up to `depth`.

        They are stacked, one set for each seed; afterwards the weights are as they were.
        """
        names = [name for name, _ in self.parts]
        tensors = [t for _, held in self.parts[names.index(depth) :] for t in held]
        found = []
        for seed in seeds:
            with shuffled(tensors, seed):
                found.append(explain())
        return np.stack(found)

    def for_mosaics(self, tiles: int) -> "ModuleMaps":
        """The same maps for mosaics."""
        return replace(self, tiles=tiles)


@contextmanager
def shuffled(tensors: Sequence[Tensor], seed: int) -> Iterator[None]:
    """Shuffle the values within each tensor; afterwards all are as they were, also after an error."""
    generator = torch.Generator().manual_seed(seed)
    kept = [tensor.detach().clone() for tensor in tensors]
    try:
        with torch.no_grad():
            for tensor in tensors:
                order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
                tensor.copy_(tensor.flatten()[order].view_as(tensor))
        yield
    finally:
        with torch.no_grad():
            for tensor, values in zip(tensors, kept, strict=True):
                tensor.copy_(values)


def require_complete(maps: Tensor, scores: Tensor, bias: Tensor) -> None:
    """Refuse maps that do not sum to the model's own scores.

    Raises:
        DeepSightError: they do not.
    """
    error = float((maps.sum(dim=(2, 3)) + bias - scores).abs().max())
    allowed = TOLERANCE * float((scores - bias).abs().max()) + ROUNDING * max(1.0, float(scores.abs().max()))
    if not error <= allowed:
        raise DeepSightError(f"Expected maps that sum to the logits, received an error of {error:.2g}.")


def is_exact(candidate: ModuleMaps, inputs: Tensor) -> bool:
    """Whether the end of the model is affine in the layer's output, for these inputs."""
    try:
        candidate.exact_batch(inputs)
    except DeepSightError:
        return False
    return True


def module_attributors(model: DifferentiableModel, images: Pixels, labels: Ints) -> list[Attributor]:
    """The methods that a model allows; none where no layer has places.

    Args:
        model: the model.
        images, labels: a few images (at least two) and their classes, to trace with.
    """
    inputs = next(iter(model.batches(images)))
    layers = explaining_layers(model, inputs, torch.from_numpy(labels[: len(inputs)]))
    if not layers:
        return []
    deepest = layers[0]
    exact = ModuleMaps(model, deepest, "closed form")
    if deepest.form != "tokens" and is_exact(exact, inputs):
        return [exact]
    if deepest.form == "nchw":
        return [ModuleMaps(model, layer, method) for layer in layers for method in ("HiResCAM", "Grad-CAM")]
    found: list[Attributor] = [ModuleMaps(model, layer, "gradient × token") for layer in layers]
    attends = sees_attention(model, inputs)
    if attends.rules:
        found += [ModuleMaps(model, layer, "LRP") for layer in layers[1:] or layers]
    prefix = attends.tokens - deepest.height * deepest.width
    if 0 <= prefix <= MOST_PREFIX:
        found.append(AttentionRollout(ModuleMaps(model, deepest, "gradient × token"), prefix))
    return found
