"""How fast an opened model is on this machine: a forward pass, a gradient, the mask of an object."""

import time
from dataclasses import dataclass

import numpy as np
import torch

from deepsight.core.array_types import Pixels
from deepsight.core.dataset import Dataset
from deepsight.core.open_model import AskedModel, DifferentiableModel, OpenModel
from deepsight.model.foreign.foreign_model import ForeignModel
from deepsight.workflows.planning.examination_sizes import seconds_of_a_mask

TIMED = 32  # images on which the model is timed, at most,
TIMED_SECONDS = 2.0  # and fewer where they would take longer than this
BACKWARD = 3.0  # forward passes that a gradient costs, where it cannot be measured
METHODS_INSIDE, METHODS_OUTSIDE = 6, 2  # of maps that compete: by gradients, or of a black box


@dataclass(frozen=True)
class Pace:
    """Measured times, by which the samples are sized.

    Attributes:
        image: seconds of one forward pass of one image.
        gradient: seconds of one forward and backward pass; None for a black box.
        mask: seconds to cut out one object.
        methods: of maps that compete, at most; 0 where the model's own maps are used without a choice.
        mosaic: images that one mosaic of four costs: 4, or 1 where it is reduced to the size of one image.
    """

    image: float
    gradient: float | None
    mask: float
    methods: int
    mosaic: int


def measured_pace(model: AskedModel, data: Dataset, *, image: float) -> Pace:
    """The pace of a model whose forward pass was timed, in seconds per image."""
    mask = seconds_of_a_mask(data)
    if isinstance(model, OpenModel):
        return Pace(image, image, mask, 0, 4)
    if not isinstance(model, DifferentiableModel):
        return Pace(image, None, mask, METHODS_OUTSIDE, 1)
    gradient = seconds_of_a_gradient(model, data.pixels(np.arange(min(2, len(data)))), image=image)
    reduced = isinstance(model, ForeignModel) and not model.takes_any_size
    return Pace(image, gradient, mask, METHODS_INSIDE, 1 if reduced else 4)


def seconds_an_image(model: AskedModel, data: Dataset) -> float:
    """Seconds to predict one image, measured on a few images after a warm-up."""
    began = time.perf_counter()
    model.logits(data.pixels(np.arange(1)))
    first = time.perf_counter() - began
    count = int(np.clip(TIMED_SECONDS / max(first, 1e-6), 2, TIMED))
    pixels = data.pixels(np.arange(min(count, len(data))))
    began = time.perf_counter()
    model.logits(pixels)
    return (time.perf_counter() - began) / len(pixels)


def seconds_of_a_gradient(model: DifferentiableModel, pixels: Pixels, *, image: float) -> float:
    """Seconds per image of the gradient at the input; three forward passes where there is none."""
    try:
        inputs = next(iter(model.batches(pixels)))
        began = time.perf_counter()
        with torch.enable_grad():
            leaf = inputs.detach().requires_grad_(True)
            torch.autograd.grad(model.scores(leaf.clone()).sum(), leaf)
        return max((time.perf_counter() - began) / len(inputs), image)
    except Exception:  # a foreign module may raise anything; the maps will say why there are none
        return BACKWARD * image
