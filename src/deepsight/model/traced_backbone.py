"""Any timm classifier as a chain of parts, found by tracing it.

The four families of `model/backbone.py` are cut by hand. Every other network is traced with torch.fx and cut
after each block whose output is the only tensor that the rest needs. The last part includes the network's own
pooling, so a transformer's features are its class token or the mean of its tokens, as its authors chose.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import timm
import torch
from timm.layers import get_notrace_functions, get_notrace_modules, resample_abs_pos_embed
from torch import Tensor, fx, nn

from deepsight.core.errors import UsageError

BLOCK_LISTS = ("blocks", "layers", "stages")  # what timm calls the list of a network's blocks
SIDE_MULTIPLE, USUAL_SIDE = 32, 224  # pixels


def create_backbone(name: str, *, pretrained: bool = False, classes: int = 0) -> nn.Module:
    """The timm model of this name, at an input size that a study can provide.

    A network of fixed size whose side is not a multiple of 32, such as DINOv2's 518, is created for 224
    pixels; timm interpolates its position embeddings.
    """
    options: dict[str, Any] = {}
    about = timm.get_pretrained_cfg(name)
    if about is not None and about.fixed_input_size and about.input_size[-1] % SIDE_MULTIPLE:
        options["img_size"] = USUAL_SIDE
    backbone: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=classes, **options)
    return backbone


def fixed_side(backbone: nn.Module) -> int | None:
    """The only input side in pixels that a backbone takes, or None if it takes any multiple of 32."""
    about: Any = getattr(backbone, "pretrained_cfg", {})
    if not about.get("fixed_input_size", False):
        return None
    made_for: Any = getattr(getattr(backbone, "patch_embed", None), "img_size", None)
    return int(made_for[0] if made_for else about["input_size"][-1])


def classifier_name(backbone: nn.Module) -> str:
    """The name of the last layer in timm's checkpoints."""
    about: Any = getattr(backbone, "pretrained_cfg", {})
    name = about.get("classifier", "fc")
    return str(name if isinstance(name, str) else name[0])


class PooledFeatures(nn.Module):
    """A backbone up to the input of its own classifier: images to features (b, d)."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        maps = self.backbone.forward_features(x)  # type: ignore[operator]
        features: Tensor = self.backbone.forward_head(maps, pre_logits=True)  # type: ignore[operator]
        return features


class Segment(nn.Module):
    """A part of the chain. It stays in evaluation mode: its batch norms keep ImageNet's statistics."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__()
        self.graph = graph.eval()

    def train(self, mode: bool = True) -> "Segment":  # torch passes a mode, which is not followed
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.graph(x))


class BlockTracer(fx.Tracer):
    """Traces a forward pass down to the network's blocks, which it does not enter."""

    def __init__(self, backbone: nn.Module, blocks: Iterable[str]) -> None:
        # Functions of the backbone's file, such as the resampling of position embeddings, may read sizes.
        own_file = sys.modules[type(backbone).__module__]
        super().__init__(
            autowrap_modules=(math, own_file),  # type: ignore[arg-type]
            autowrap_functions=(*get_notrace_functions(), resample_abs_pos_embed),
        )
        self._blocks = frozenset(blocks)
        self._whole = tuple(get_notrace_modules())

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = module_qualified_name in self._blocks or isinstance(m, self._whole)
        return known or super().is_leaf_module(m, module_qualified_name)


def traced_parts(backbone: nn.Module) -> list[tuple[str, nn.Module]]:
    """The backbone as named parts, each taking the output of the one before; the last gives features (b, d).

    Parameters are shared with the backbone, so what trains the parts trains it.

    Raises:
        UsageError: the network cannot be traced, or no block's output is all that the rest needs.
    """
    whole = PooledFeatures(backbone.eval())
    blocks = block_names(whole)
    try:
        graph = BlockTracer(backbone, blocks).trace(whole)
    except Exception as error:  # tracing runs the network's own code, which may raise anything
        raise UsageError(
            f"Expected a backbone that can be cut into blocks, but a {type(backbone).__name__} cannot be "
            f"traced ({type(error).__name__}). Choose another, or study its predictions: deepsight examine."
        ) from error
    cuts = cuts_of(graph, blocks)
    if not cuts:
        raise UsageError(
            f"Expected a backbone that is a chain of blocks, but no block of {type(backbone).__name__} is "
            "followed by a single tensor. Choose another one, or study its predictions: deepsight examine."
        )
    names = [str(cut.target).removeprefix("backbone.").replace(".", " ") for cut in cuts]
    return list(zip([*names, "features"], segments(whole, graph, cuts), strict=True))


def block_names(whole: PooledFeatures) -> list[str]:
    """The blocks in the lists that timm uses, or else the network's direct children."""
    lists = [name for name in BLOCK_LISTS if hasattr(whole.backbone, name)]
    owners = [f"backbone.{name}" for name in lists] or ["backbone"]
    return [f"{owner}.{name}" for owner in owners for name, _ in whole.get_submodule(owner).named_children()]


def cuts_of(graph: fx.Graph, blocks: Sequence[str]) -> list[fx.Node]:
    """The blocks after which only their own output is needed, in order, without the last of the network."""
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    last_use = {n: max((place[u] for u in n.users), default=-1) for n in nodes if n.op != "get_attr"}
    found = []
    for node in nodes:
        if node.op != "call_module" or node.target not in blocks:
            continue
        here = place[node]
        needed = [n for n, last in last_use.items() if place[n] <= here < last]
        if needed == [node] and any(user.op != "output" for user in node.users):
            found.append(node)
    return found


def segments(whole: nn.Module, graph: fx.Graph, cuts: Sequence[fx.Node]) -> list[Segment]:
    """The graph in pieces: one up to each cut, and the rest."""
    nodes, ends = list(graph.nodes), [*cuts, None]
    parts, start = [], 0
    for previous, end in zip([None, *cuts], ends, strict=True):
        stop = len(nodes) if end is None else nodes.index(end) + 1
        parts.append(segment_of_nodes(whole, nodes[start:stop], previous, end))
        start = stop
    return parts


def segment_of_nodes(
    whole: nn.Module, nodes: Sequence[fx.Node], given: fx.Node | None, end: fx.Node | None
) -> Segment:
    """Some nodes as a separate module, from the output of `given` to that of `end`."""
    graph, copies = fx.Graph(), {}
    if given is not None:
        copies[given] = graph.placeholder("x")

    def copy_of(node: fx.Node) -> fx.Node:
        if node not in copies:  # an attribute that an earlier part reads as well
            copies[node] = graph.node_copy(node)
        return copies[node]

    for node in nodes:
        if node.op == "output":
            graph.output(copy_of(node.args[0]))  # type: ignore[arg-type]
        else:
            copies[node] = graph.node_copy(node, copy_of)
    if end is not None:
        graph.output(copies[end])
    return Segment(fx.GraphModule(whole, graph))
