"""Features before the last layer of any watched model, pooled where they have places."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Floats32, Pixels
from deepsight.model.foreign.foreign_model import WatchedModel

SMALLEST = 4  # features; fewer say too little about an image


def penultimate_features(model: WatchedModel, pixels: Pixels) -> Floats32:
    """The last output (n, d) of a part before the class scores, or the mean over the places of the last map.

    The width may be 0, where the model has no such output.
    """
    parts = [features.cpu().numpy() for features in batches_of_features(model, pixels)]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 0), np.float32)


def batches_of_features(model: WatchedModel, pixels: Pixels) -> Iterator[Tensor]:
    """Features batch by batch."""
    for inputs in model.batches(pixels):
        seen: dict[str, Tensor] = {}

        def visit(_: str, output: Tensor, seen: dict[str, Tensor] = seen, n: int = len(inputs)) -> None:
            if len(output) != n or not output.is_floating_point():
                return
            if output.ndim == 2 and SMALLEST <= output.shape[1] != model.outputs:
                seen["vector"] = output
            elif output.ndim in (3, 4):
                seen["map"] = output
                seen.pop("vector", None)  # a vector before a map is no summary of it

        with torch.no_grad(), model.watch(visit):
            model.scores(inputs)
        found = seen.get("vector", seen.get("map"))
        yield torch.zeros(len(inputs), 0) if found is None else pooled(found).float()


def pooled(output: Tensor) -> Tensor:
    """Vectors (b, d) of vectors, tokens (b, t, d), or maps with channels first or last."""
    if output.ndim == 4:
        return output.mean(dim=(2, 3) if output.shape[2] == output.shape[3] else (1, 2))
    return output.mean(dim=1) if output.ndim == 3 else output
