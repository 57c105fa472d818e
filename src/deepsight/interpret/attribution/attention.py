"""Methods for networks with attention: relevance propagation with attention held fixed, and rollout."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.core.open_model import DifferentiableModel
from deepsight.interpret.attribution.cam import Layer

if TYPE_CHECKING:
    from deepsight.interpret.attribution.module_maps import ModuleMaps

SOFTMAX = (torch.softmax, F.softmax, Tensor.softmax)
GATES = (F.gelu, F.silu, torch.nn.functional.relu6, F.hardswish)


class PropagationRules(TorchFunctionMode):
    """Gradients as relevance is propagated: attention weights, norms and gates count as constants.

    Gradient × input then is layer-wise relevance propagation for transformers (Ali et al. 2022, "XAI for
    Transformers: better explanations through conservative propagation"): relevance is neither lost in the
    softmax nor in the division of a layer norm. It applies to any network that runs inside the context.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        if func in SOFTMAX:
            found: Tensor = func(*args, **options)
            return found.detach() if found.ndim > 2 else found  # that of (b, k) makes class scores
        if func is F.scaled_dot_product_attention:
            return fixed_attention(*args, **options)[0]
        if func in (F.layer_norm, torch.layer_norm):
            return fixed_norm(*args, **options)
        if func in GATES:
            x = args[0]
            return x * (func(*args, **options) / torch.where(x == 0, torch.ones_like(x), x)).detach()
        return func(*args, **options)


def fixed_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    *_: Any,
    scale: float | None = None,
    **__: Any,
) -> tuple[Tensor, Tensor]:
    """Attention whose weights are constants, and these weights (b, heads, t, t)."""
    logits = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if attn_mask is not None:
        logits = (
            logits.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else logits + attn_mask
        )
    weights = logits.softmax(dim=-1).detach()
    return weights @ v, weights


def fixed_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, *_: Any,
) -> Tensor:  # fmt: skip
    """A layer norm whose division is by a constant."""
    axes = tuple(range(-len(tuple(shape)), 0))
    centred = x - x.mean(dim=axes, keepdim=True)
    deviation = (centred.detach().pow(2).mean(dim=axes, keepdim=True) + eps).sqrt()
    scaled: Tensor = centred / deviation
    scaled = scaled if weight is None else scaled * weight
    return scaled if bias is None else scaled + bias


class AttentionWeights(TorchFunctionMode):
    """Keeps the attention weights (b, t, t), mean over heads, of each layer that runs inside."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.weights: list[Tensor] = []
        self.packed = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        if func is F.scaled_dot_product_attention:
            mixed, weights = fixed_attention(*args, **options)
            self.keep(weights)
            return mixed
        if func is F.multi_head_attention_forward:
            self.packed = True
            asked = {**options, "need_weights": True, "average_attn_weights": False}
            packed: Any = func(*args, **asked)
            self.keep(packed[1])
            return packed[0], None
        result = func(*args, **options)
        if func in SOFTMAX:
            self.keep(result)
        return result

    def keep(self, weights: Tensor) -> None:
        """Keep weights of attention among all tokens; those of windows have another batch size."""
        if weights.ndim == 4 and len(weights) == self.batch and weights.shape[2] == weights.shape[3]:
            self.weights.append(weights.detach().mean(dim=1))


class Attention(NamedTuple):
    """What a network's attention allows: relevance propagation, and rollout over so many tokens (or 0)."""

    rules: bool
    tokens: int


def sees_attention(model: DifferentiableModel, inputs: Tensor) -> Attention:
    """The methods for attention that a model allows; windowed attention has no rollout."""
    mode = AttentionWeights(len(inputs))
    with torch.no_grad(), mode:
        model.scores(inputs)
    sizes = {w.shape[1] for w in mode.weights}
    return Attention(not mode.packed, sizes.pop() if len(mode.weights) > 1 and len(sizes) == 1 else 0)


@dataclass(frozen=True)
class AttentionRollout:
    """Attention rollout (Abnar and Zuidema 2020): the same map for every class.

    Attributes:
        at: maps at a layer of tokens, whose grid and randomisation are used.
        prefix: tokens before those of the grid.
    """

    at: "ModuleMaps"
    prefix: int
    method: str = field(default="attention rollout", init=False)

    @property
    def layer(self) -> Layer:
        """The grid of the tokens."""
        return Layer("attention", self.at.layer.side, self.at.layer.caution)

    @property
    def depths(self) -> tuple[str, ...]:
        """How far down from the head the weights can be randomised."""
        return self.at.depths

    def maps(self, images: Pixels, classes: Ints) -> Floats32:
        """Maps (n, c, h, w), the same for all classes."""
        found = [self.of_batch(inputs) for inputs in self.at.model.batches(images, tiles=self.at.tiles)]
        maps = np.concatenate(found)[:, None].astype(np.float32)
        return np.repeat(maps, classes.shape[1], axis=1)

    def of_batch(self, inputs: Tensor) -> Floats32:
        """Rollout (b, h, w): attention with its skip connections, multiplied through the layers."""
        mode = AttentionWeights(len(inputs))
        with torch.no_grad(), mode:
            self.at.model.scores(inputs)
        total: Tensor = torch.eye(mode.weights[0].shape[1], device=mode.weights[0].device)
        for weights in mode.weights:
            total = (0.5 * weights + 0.5 * torch.eye(weights.shape[1], device=weights.device)) @ total
        rows = total[:, 0] if self.prefix else total.mean(dim=1)
        placed = replace(self.at.grid, form="tokens", prefix=self.prefix)
        grid = placed.grid(rows[..., None])[:, 0]
        return np.asarray(grid.cpu().numpy(), dtype=np.float32)

    def exact(self, images: Pixels) -> None:
        """None: rollout is not exact."""

    def randomised_maps(self, images: Pixels, classes: Ints, *, depth: str, seeds: Sequence[int]) -> Floats32:
        """Maps (s, n, c, h, w) with shuffled weights."""
        return self.at.with_shuffled_weights(lambda: self.maps(images, classes), depth, seeds)

    def for_mosaics(self, tiles: int) -> "AttentionRollout":
        """The same maps for mosaics."""
        return AttentionRollout(self.at.for_mosaics(tiles), self.prefix)
