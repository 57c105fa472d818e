"""What maps of a ViT-S/16 at 224 px cost, beside the bare forward pass and pytorch-grad-cam.

Processor seconds of one thread; the methods take turns batch by batch, in an order that changes every time.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import timm
import torch
from rows import Row
from torch import Tensor

from deepsight.interpret.attribution.module_maps import module_attributors
from deepsight.model.foreign.foreign_model import WatchedModel, foreign_model
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import network_of_module
from deepsight.model.foreign.outputs import OutputReading

NAME, SIDE, K, BATCH = "vit_small_patch16_224", 224, 10, 10
Way = Callable[[np.ndarray, np.ndarray], object]


def rows(images: int) -> Iterator[Row]:
    """The time of each way for an image, and relative to the bare pass of the same batch."""
    taken = seconds(ways(), images)
    bare = np.array(taken["bare forward pass"])
    for name, values in taken.items():
        spent = np.array(values)
        figures = {"ms per image": 1000 * spent / BATCH, "times the bare pass": spent / bare}
        for figure, found in figures.items():
            low, middle, high = (f"{q:.3f}" for q in np.quantile(found, (0.25, 0.5, 0.75)))
            yield Row("speed", f"{NAME}, {name}", figure, middle, low, high, images)


def ways() -> dict[str, Way]:
    """A forward pass, each of our methods, and Grad-CAM of pytorch-grad-cam where it is installed."""
    torch.manual_seed(0)
    module = timm.create_model(NAME, num_classes=K).eval()
    prepare = InputFormat(SIDE, SIDE)
    model = foreign_model(network_of_module(module, NAME), prepare, OutputReading("logits", K), np.arange(K))
    assert isinstance(model, WatchedModel)
    few = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)
    found: dict[str, Way] = {"bare forward pass": lambda images, _: model.logits(images)}
    for each in module_attributors(model, few, np.arange(4)):
        found[f"{each.method} at {each.layer.name}"] = lambda images, classes, each=each: each.maps(
            images, classes[:, None]
        )
    return found | grad_cam(module, prepare)


def grad_cam(module: torch.nn.Module, prepare: InputFormat) -> dict[str, Way]:
    """The peer at the layer that its documentation names for a ViT; nothing where it is not installed."""
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        return {}

    def on_grid(tokens: Tensor) -> Tensor:
        side = int((tokens.shape[1] - 1) ** 0.5)
        return tokens[:, 1:].reshape(len(tokens), side, side, -1).permute(0, 3, 1, 2)

    cam = GradCAM(module, [module.blocks[-1].norm1], reshape_transform=on_grid)  # type: ignore[index,union-attr]

    def maps(images: np.ndarray, classes: np.ndarray) -> object:
        return cam(prepare(images), [ClassifierOutputTarget(int(c)) for c in classes])

    return {"pytorch-grad-cam, GradCAM": maps}


def seconds(ways: dict[str, Way], images: int) -> dict[str, list[float]]:
    """Processor seconds of each batch, after one to warm up."""
    rng = np.random.default_rng(1)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(images // BATCH + 1):
        batch = rng.integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype=np.uint8)
        classes = rng.integers(K, size=BATCH)
        for name in rng.permutation(list(ways)):
            began = time.process_time()
            ways[str(name)](batch, classes)
            if number:
                taken[str(name)].append(time.process_time() - began)
    return taken
