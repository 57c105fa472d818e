"""Class activation maps with signed values in logits (docs/methods/attribution.md).

Shapes: n images, k classes, d features, h × w cells of the map.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from deepsight.core.errors import DeepSightError

SMALLEST_SIDE, GOOD_SIDE = 4, 7

Method = Literal["gradcam", "hirescam", "layercam"]


@dataclass(frozen=True)
class Layer:
    """The layer at which maps are made.

    Attributes:
        name: the model's name for it.
        side: cells along one side of its map.
        caution: a sentence for the reader if the map is coarse, else None.
    """

    name: str
    side: int
    caution: str | None


def layer_for(sides: Mapping[str, int]) -> Layer:
    """The deepest layer whose map has at least 4 cells a side at the actual input size.

    Args:
        sides: layer name -> cells along one side, from shallow to deep.

    Raises:
        DeepSightError: no layer has 4 cells a side.
    """
    fitting = [(name, side) for name, side in sides.items() if side >= SMALLEST_SIDE]
    if not fitting:
        raise DeepSightError(
            f"Expected a layer whose map has at least {SMALLEST_SIDE} cells a side, received {dict(sides)}. "
            "Use a larger --resolution."
        )
    name, side = fitting[-1]
    caution = (
        f"Only {side} × {side} cells: read it as a region, not as an outline." if side < GOOD_SIDE else None
    )
    return Layer(name, side, caution)


def require_spatial(activations: Tensor) -> None:
    """Refuse activations without spatial resolution.

    Raises:
        DeepSightError: not (n, d, h, w), or a 1 × 1 map.
    """
    if activations.ndim != 4:
        raise DeepSightError(
            f"Expected activations of shape (n, d, h, w), received {tuple(activations.shape)}. "
            "This model has no spatial map at this layer: choose one before the pooling."
        )
    if activations.shape[2] * activations.shape[3] == 1:
        raise DeepSightError(
            "Expected a map with several cells, received 1 × 1, which says nothing about location. "
            "Use an earlier layer or a larger --resolution."
        )


def signed_maps(activations: Tensor, weight: Tensor) -> Tensor:
    """What each cell adds to each logit, exactly, for average pooling and a linear head; all k classes.

    `logit_c = bias_c + mean_p W_c · A(p)`, so cell p adds `W_c · A(p) / (h w)`: the map *sums* to the logit
    minus its bias. Its positive part is Grad-CAM (Selvaraju et al. 2017) up to that factor; HiResCAM and
    XGrad-CAM give the same map at this layer. Values are in units of the logit and are never rescaled.

    Args:
        activations: (n, d, h, w), what the pooling receives.
        weight: (k, d), of the linear head.

    Returns:
        (n, k, h, w).

    Raises:
        DeepSightError: the activations have no spatial resolution, or d differs.
    """
    require_spatial(activations)
    if weight.ndim != 2 or weight.shape[1] != activations.shape[1]:
        raise DeepSightError(
            f"Expected a head of shape (k, {activations.shape[1]}), received {tuple(weight.shape)}."
        )
    cells = activations.shape[2] * activations.shape[3]
    return torch.nn.functional.conv2d(activations, (weight / cells)[:, :, None, None])


def check_completeness(maps: Tensor, logits: Tensor, bias: Tensor, *, tolerance: float = 1e-4) -> float:
    """Check that the maps sum to the model's own logits.

    Args:
        maps: (n, k, h, w) of `signed_maps`.
        logits: (n, k), from the model's own forward pass.
        bias: (k,), of the head.
        tolerance: largest error allowed, relative to the largest logit or to 1, whichever is larger.

    Returns:
        The largest absolute error, in units of the logit.

    Raises:
        DeepSightError: the sum differs, so the head is not average pooling followed by this linear layer.
    """
    error = float((maps.sum(dim=(2, 3)) + bias - logits).detach().abs().max())
    allowed = tolerance * max(1.0, float(logits.detach().abs().max()))
    if not error <= allowed:
        raise DeepSightError(
            f"Expected maps that sum to the logits within {allowed:.2g}, received an error of {error:.2g}. "
            "The head is not average pooling and one linear layer: use layer_maps on the tail."
        )
    return error


def layer_maps(
    tail: Callable[[Tensor], Tensor], activations: Tensor, classes: Tensor, *, method: Method = "hirescam"
) -> Tensor:
    """Maps at an earlier layer, by gradients of the tail alone; the layers before it do not run again.

    `gradcam` weights each channel by its mean gradient (Selvaraju et al. 2017), `hirescam` weights each cell
    by its own gradient (Draelos and Carin 2020), `layercam` keeps the positive gradients only (Jiang et al.
    2021). The published maps end in a ReLU. Ours keep the sign: `maps.clamp(min=0)` is the published map.

    Args:
        tail: (n, d, h, w) -> logits (n, k); in evaluation mode, so that no image depends on another.
        activations: (n, d, h, w), what the tail receives.
        classes: int64 (n,), the class to explain in each image.
        method: of the maps.

    Returns:
        (n, h, w), in units of the logit for `hirescam`. Unlike `signed_maps` it need not sum to the logit.
    """
    require_spatial(activations)
    leaf = activations.detach().requires_grad_(True)
    with torch.enable_grad():
        asked = tail(leaf).gather(1, classes.to(leaf.device)[:, None]).sum()
        (gradient,) = torch.autograd.grad(asked, leaf)
    return (channel_weights(gradient, method) * activations.detach()).sum(dim=1)


def channel_weights(gradient: Tensor, method: Method) -> Tensor:
    """The weight of each channel in each cell, broadcastable to (n, d, h, w)."""
    if method == "gradcam":
        return gradient.mean(dim=(2, 3), keepdim=True)
    return gradient.clamp(min=0) if method == "layercam" else gradient


def without_background(maps: Tensor, bias: Tensor, cover: Tensor) -> Tensor:
    """The logits from the object's cells alone: `bias_k + Σ_cells map_k · cover`.

    Args:
        maps: (n, k, h, w) of `signed_maps`.
        bias: (k,).
        cover: (n, h, w), the share of each cell that the object covers, 0 to 1.

    Returns:
        Logits (n, k). They are the model's own where the cover is 1 everywhere.
    """
    return bias + (maps * cover[:, None]).sum(dim=(2, 3))
