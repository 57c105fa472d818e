"""Logits, features and exact maps of all classes from one forward pass, checked against each other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Floats32, Pixels
from deepsight.core.open_model import OpenModel
from deepsight.interpret.attribution.cam import check_completeness, signed_maps


@dataclass(frozen=True)
class ExactMaps:
    """The output of one pass over n images.

    Attributes:
        logits: (n, k), from the network's own head.
        features: (n, d), pooled.
        maps: (n, k, h, w), signed, in logits; each sums to its logit minus the bias.
    """

    logits: Floats32
    features: Floats32
    maps: Floats32


def exact_maps(model: OpenModel, images: Pixels) -> ExactMaps:
    """The answers of a model and the maps of all its classes; see `exact_maps_of_batches`."""
    last = list(model.sides())[-1]
    return exact_maps_of_batches(model.map_batches(images), model.from_stage(last), model.weight, model.bias)


def exact_maps_of_batches(
    batches: Iterable[Tensor], head: Callable[[Tensor], Tensor], weight: Floats32, bias: Floats32
) -> ExactMaps:
    """The answers and the evidence for every class; the images are run through the network once.

    Args:
        batches: at least one batch of last maps (b, d, h, w), as the pooling receives them.
        head: the rest of the network, from these maps to logits (b, k).
        weight, bias: (k, d) and (k,), of its linear layer.

    Raises:
        DeepSightError: there is no spatial map, or the maps do not sum to the network's own logits.
    """
    tensors = torch.from_numpy(weight), torch.from_numpy(bias)
    found = [exact_maps_of_batch(activations, head, *tensors) for activations in batches]
    logits, features, maps = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return ExactMaps(logits, features, maps)


@torch.inference_mode()
def exact_maps_of_batch(
    activations: Tensor, head: Callable[[Tensor], Tensor], weight: Tensor, bias: Tensor
) -> tuple[Floats32, Floats32, Floats32]:
    """Logits, features and maps of one batch; completeness is checked here, at run time."""
    weight, bias = weight.to(activations.device), bias.to(activations.device)
    maps, logits = signed_maps(activations, weight), head(activations)
    check_completeness(maps, logits, bias)
    features = activations.mean(dim=(2, 3))
    return logits.cpu().numpy(), features.cpu().numpy(), maps.cpu().numpy()
