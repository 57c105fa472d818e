"""Layers with places, found by tracing shapes: maps of channels first or last, and tokens on their grid."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError
from deepsight.core.open_model import DifferentiableModel
from deepsight.interpret.attribution.cam import GOOD_SIDE, SMALLEST_SIDE, Layer

Form = Literal["nchw", "nhwc", "tokens"]
MOST_PREFIX = 8  # class, distillation and register tokens before those of the grid
TRIED = 60  # layers, from the deepest, that are tested


@dataclass(frozen=True)
class GridLayer:
    """One output of a module that can be laid out on a grid.

    Attributes:
        name: of the module.
        call: which of its calls in a forward pass, from 0.
        form: order of its axes.
        prefix: tokens before those of the grid.
        height, width: of the grid.
    """

    name: str
    call: int
    form: Form
    prefix: int
    height: int
    width: int

    def layer(self) -> Layer:
        """Name, side and caution for tables and captions."""
        side = min(self.height, self.width)
        coarse = f"Only {side} × {side} cells: read it as a region, not as an outline."
        return Layer(self.name, side, coarse if side < GOOD_SIDE else None)

    def grid(self, output: Tensor) -> Tensor:
        """An output of this layer as (b, d, h, w), also for an input of another size."""
        if self.form == "nchw":
            return output
        if self.form == "nhwc":
            return output.permute(0, 3, 1, 2)
        tokens = output[:, self.prefix :]
        factor = math.sqrt(tokens.shape[1] / (self.height * self.width))
        h, w = round(factor * self.height), round(factor * self.width)
        return tokens.transpose(1, 2).reshape(len(output), -1, h, w)


def trace_layers(model: DifferentiableModel, inputs: Tensor) -> list[GridLayer]:
    """All outputs with more than one place, in the order in which they are made.

    Args:
        model: the model.
        inputs: prepared images; outputs of other batch sizes, such as windows, are left out.
    """
    calls: dict[str, int] = {}
    found: list[GridLayer] = []
    sides = inputs.shape[1:3] if inputs.shape[3] in (1, 3) else inputs.shape[2:]

    def visit(name: str, output: Tensor) -> None:
        call = calls[name] = calls.get(name, -1) + 1
        if len(output) != len(inputs) or not output.is_floating_point():
            return
        placed = (
            placed_tokens(output.shape, sides, found) if output.ndim == 3 else placed_map(output.shape, sides)
        )
        if placed is not None:
            found.append(GridLayer(name, call, *placed))

    with torch.no_grad(), model.watch(visit):
        model.scores(inputs)
    return found


def placed_map(shape: Sequence[int], sides: Sequence[int]) -> tuple[Form, int, int, int] | None:
    """Form, prefix, height and width of an output with four axes, by the aspect ratio of the input."""
    if len(shape) != 4:
        return None
    first, last = (shape[2], shape[3]), (shape[1], shape[2])
    for form, (h, w) in (("nchw", first), ("nhwc", last)):
        if h * w > 1 and h * sides[1] == w * sides[0]:
            return ("nchw", 0, h, w) if form == "nchw" else ("nhwc", 0, h, w)
    return None


def placed_tokens(
    shape: Sequence[int], sides: Sequence[int], before: Sequence[GridLayer]
) -> tuple[Form, int, int, int] | None:
    """The same for tokens (b, t, d): on a grid that was seen before, else on a square one."""
    count = shape[1]
    grids = [(g.height, g.width) for g in reversed(before)]
    if sides[0] == sides[1]:
        grids += [(math.isqrt(count - p),) * 2 for p in (0, 1, 2, 4, 5) if count > p]
    for h, w in grids:
        prefix = count - h * w
        if 0 <= prefix <= MOST_PREFIX and h * w > 1 and (prefix == 0 or h * w > MOST_PREFIX):
            return ("tokens", prefix, h, w)
    return None


@dataclass(frozen=True)
class Cut:
    """A forward pass that was cut at a layer.

    Attributes:
        output: of the layer, a leaf for gradients.
        scores: (b, k), a function of it.
    """

    output: Tensor
    scores: Tensor


def cut_at(
    model: DifferentiableModel,
    inputs: Tensor,
    layer: GridLayer,
    change: Callable[[Tensor], Tensor] = lambda output: output,
) -> Cut:
    """Run the model with gradients from one layer on; before it nothing is kept for them.

    Args:
        model: the model.
        inputs: prepared images.
        layer: where gradients begin.
        change: applied to its output first, such as `torch.zeros_like`.
    """
    calls, leaves = 0, []

    def visit(name: str, output: Tensor) -> Tensor | None:
        nonlocal calls
        if name != layer.name:
            return None
        calls += 1
        if calls != layer.call + 1:
            return None
        torch.set_grad_enabled(True)  # until the block below ends
        leaf = change(output.detach()).requires_grad_(True)
        leaves.append(leaf)
        return leaf.clone()  # so that the model may change it in place

    with torch.no_grad(), model.watch(visit):
        scores = model.scores(inputs)
    return Cut(leaves[0], scores)


def gradients(cut: Cut, classes: Tensor) -> Tensor:
    """Gradients of each image's class scores at the layer, one per column of `classes` (b, c).

    Raises:
        DeepSightError: the scores have no gradient there.
    """
    if not cut.scores.requires_grad:
        raise DeepSightError("Expected class scores with a gradient at the layer of the maps, found none.")
    found = []
    for i in range(classes.shape[1]):
        asked = cut.scores.gather(1, classes[:, i : i + 1].to(cut.scores.device)).sum()
        (gradient,) = torch.autograd.grad(asked, cut.output, retain_graph=i + 1 < classes.shape[1])
        found.append(gradient)
    return torch.stack(found, dim=1)


def passes_everything(model: DifferentiableModel, inputs: Tensor, layer: GridLayer) -> bool:
    """Whether all evidence goes through this layer: with zeros there, all answers are alike."""
    scores = cut_at(model, inputs, layer, torch.zeros_like).scores.detach()
    return bool(torch.allclose(scores, scores[:1].expand_as(scores), atol=1e-4, rtol=1e-4))


def has_gradients(model: DifferentiableModel, inputs: Tensor, layer: GridLayer, labels: Tensor) -> bool:
    """Whether most cells influence the answer; behind the last attention only the class token does."""
    cut = cut_at(model, inputs, layer)
    if not cut.scores.requires_grad:  # a model that leaves torch on its way to the scores
        return False
    gradient = gradients(cut, labels[:, None])[:, 0]
    return bool((layer.grid(gradient).abs().sum(dim=1) > 0).float().mean() > 0.5)


def explaining_layers(model: DifferentiableModel, inputs: Tensor, labels: Tensor) -> list[GridLayer]:
    """The deepest layer that maps can be made at, and others that may do better.

    Such a layer has at least 4 cells a side, everything passes through it, and most cells have gradients.
    Of tokens, one in the middle and the first one follow; where the deepest layer is coarse, so does the
    deepest with more cells: in a deep layer of few cells, each sees the whole image.
    """
    traced = [g for g in trace_layers(model, inputs) if min(g.height, g.width) >= SMALLEST_SIDE]

    def serves(layer: GridLayer) -> bool:
        return passes_everything(model, inputs, layer) and has_gradients(model, inputs, layer, labels)

    deepest = next((g for g in traced[::-1][:TRIED] if serves(g)), None)
    if deepest is None:
        return []
    finer = None
    if min(deepest.height, deepest.width) < GOOD_SIDE:
        larger = [g for g in traced if g.height * g.width > deepest.height * deepest.width]
        finer = next((g for g in larger[::-1][:TRIED] if serves(g)), None)
    tokens = [
        g for g in traced if g.form != "nchw" and (g.height, g.width) == (deepest.height, deepest.width)
    ]
    if deepest.form == "nchw" or not tokens:
        return [deepest] if finer is None else [deepest, finer]
    middle = next((g for g in tokens[len(tokens) // 2 :][:TRIED] if serves(g)), None)
    first = next((g for g in tokens[:TRIED] if serves(g)), None)
    return list(dict.fromkeys(g for g in (deepest, middle, first, finer) if g is not None))
