"""Features before the last layer of any watched model, averaged over positions where they are maps."""

import numpy as np
import torch
from torch import Tensor

from deepsight.core.array_types import Floats32, Pixels
from deepsight.model.foreign.foreign_model import WatchedModel

SMALLEST = 4  # features; fewer describe an image too poorly


def answers_and_features(model: WatchedModel, pixels: Pixels) -> tuple[Floats32, Floats32]:
    """Logits (n, k) and penultimate features (n, d) of images, from one forward pass.

    The features are the last vector that a part outputs before the class scores, or the mean of the last map
    over its positions. Their width d is 0 where the model has no such output.
    """
    found = [answers_of_batch(model, inputs) for inputs in model.batches(pixels)]
    logits, features = (np.concatenate(part).astype(np.float32) for part in zip(*found, strict=True))
    return logits, features


def answers_of_batch(model: WatchedModel, inputs: Tensor) -> tuple[Floats32, Floats32]:
    """Logits and features of one batch of prepared inputs."""
    seen: dict[str, Tensor] = {}

    def visit(_: str, output: Tensor) -> None:
        if len(output) != len(inputs) or not output.is_floating_point():
            return
        if output.ndim == 2 and SMALLEST <= output.shape[1] != model.outputs:
            seen["vector"] = output
        elif output.ndim in (3, 4):
            seen["map"] = output
            seen.pop("vector", None)  # a vector before a map is no summary of it

    with torch.no_grad(), model.watch(visit):
        logits = model.scores(inputs)
    found = seen.get("vector", seen.get("map"))
    features = torch.zeros(len(inputs), 0) if found is None else pooled_output(found, nhwc=model.nhwc).float()
    return logits.cpu().numpy(), features.cpu().numpy()


def pooled_output(output: Tensor, *, nhwc: bool = False) -> Tensor:
    """Vectors (b, d) of vectors, tokens (b, t, d), or maps with channels first or last.

    Args:
        output: of some layer.
        nhwc: whether channels come last in a map whose shape does not tell: one that is not square.
    """
    if output.ndim != 4:
        return output.mean(dim=1) if output.ndim == 3 else output
    first, last = output.shape[2] == output.shape[3], output.shape[1] == output.shape[2]
    channels_last = last if first != last else nhwc
    return output.mean(dim=(1, 2) if channels_last else (2, 3))
