"""The throughput of this machine: images per second through each part of a network."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import harmonic_mean

import numpy as np
import torch

from deepsight.core.recipe import Recipe
from deepsight.model.backbone import Classifier, positions_along
from deepsight.model.engine import ForwardEngine, active_settings
from deepsight.model.engine.graphs import StageMapsGraph
from deepsight.model.hardware.allocator import freed_memory_kept
from deepsight.model.hardware.precision import FLOAT32, IMAGES, faster_precision, forward_in, gradient_step
from deepsight.model.hardware.timing import warm_seconds
from deepsight.model.preprocess import Preprocessing
from deepsight.model.pretrained import Pretrained
from deepsight.model.traced_backbone import fixed_side
from deepsight.model.training.training_state import TRAINABLE_PASS

LOOKS = 2  # measurements per resolution, some seconds apart
WHOLE = "whole network"  # names its engine
PRECISION_SIDE = 64  # pixels; the resolution at which precisions are compared
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Throughput:
    """Images per second on this machine at one resolution.

    Attributes:
        frozen: forward through the frozen stages, including preprocessing.
        view: the same in the precision of the cached views.
        trainable: forward through the trained stages.
        step: forward, backward and update of the trained stages.
        map_bytes: size of one image's cached maps.
        cells: cells along a side of the last maps.
        speedup: of a forward pass in the precision of the backbone's features, over float32.
        gain: of a forward pass through the whole network, over its two parts one after the other.
        probe_gain: of the trained stages forward in the precision of training steps, over float32.
    """

    frozen: float
    view: float
    trainable: float
    step: float
    map_bytes: int
    cells: int
    speedup: float = 1.0
    gain: float = 1.0
    probe_gain: float = 1.0

    @property
    def forward(self) -> float:
        """Images per second forward through the whole network."""
        return self.gain / (1 / self.frozen + 1 / self.trainable)

    @property
    def probed(self) -> float:
        """Images per second from cached maps to the features that the linear probe is fitted to."""
        return self.probe_gain * self.trainable

    @property
    def embedded(self) -> float:
        """The same for features of the backbone before training, in their precision."""
        return self.speedup * self.forward


def faster_base(classifier: Classifier, base: Recipe) -> Recipe:
    """The base recipe in the precision that is faster on this machine; takes at most two seconds."""
    side = fixed_side(classifier.backbone) or PRECISION_SIDE
    images = torch.zeros(IMAGES, 3, side, side, device=classifier.head.weight.device)
    with torch.no_grad():
        maps = classifier.frozen_stages(images)
    return replace(base, precision=faster_precision(classifier.trainable_stages, classifier.head, maps))


def fused_copy(pretrained: Pretrained, base: Recipe, *, k: int, device: torch.device = CPU) -> Classifier:
    """A copy of the network as the recipe trains it, with k classes, on the training device."""
    classifier = Classifier(copy.deepcopy(pretrained.backbone), k, trained_reductions=base.trained_reductions)
    (classifier.fuse_frozen if base.batch_norm == "training" else classifier.fuse_all)()
    return classifier.to(device)


def measured_throughput(
    classifier: Classifier, pretrained: Pretrained, base: Recipe, sides: Sequence[int]
) -> dict[int, Throughput]:
    """Throughput of the two parts of a fused copy at each resolution; takes a few seconds in total.

    Every resolution is measured twice, some seconds apart, and the mean time counts: after one slow
    measurement a plan would not use its budget, after one fast measurement it would overrun.

    Args:
        classifier: from `fused_copy`; its weights do not change.
        pretrained: provides the normalisation of the images.
        base: the recipe whose training steps are timed.
        sides: resolutions to measure, in pixels.
    """
    engines = engines_of(classifier, base)
    looks = [
        {side: timed_once(classifier, pretrained, base, side, engines) for side in sides}
        for _ in range(LOOKS)
    ]
    return {side: mean_throughput([rates[side] for rates in looks]) for side in sides}


def mean_throughput(looks: Sequence[Throughput]) -> Throughput:
    """The throughput at the mean time of the measurements."""
    return Throughput(
        harmonic_mean(each.frozen for each in looks),
        harmonic_mean(each.view for each in looks),
        harmonic_mean(each.trainable for each in looks),
        harmonic_mean(each.step for each in looks),
        looks[0].map_bytes,
        looks[0].cells,
        *(harmonic_mean(getattr(each, name) for each in looks) for name in ("speedup", "gain", "probe_gain")),
    )


def engines_of(classifier: Classifier, base: Recipe) -> dict[str, ForwardEngine]:
    """Engines of the frozen stages, by precision: float32, and as cached views and features are computed.

    `WHOLE` is that of the whole network in float32.
    """
    graph = StageMapsGraph(classifier.frozen_stages)
    return {
        precision: ForwardEngine(graph, precision, compile_after=0)
        for precision in ("32-true", base.view_precision, active_settings().precision)
    } | {WHOLE: ForwardEngine(StageMapsGraph(classifier.stages), compile_after=0)}


def timed_once(
    classifier: Classifier, pretrained: Pretrained, base: Recipe, side: int,
    engines: Mapping[str, ForwardEngine],
) -> Throughput:  # fmt: skip
    """Throughput of the two parts at one resolution, measured once."""
    preprocessing = Preprocessing(side, base.interpolation, base.antialias, pretrained.mean, pretrained.std)
    pixels = np.random.default_rng(0).integers(0, 256, (TRAINABLE_PASS, 32, 32, 3), dtype=np.uint8)
    n, trainable, head = len(pixels), classifier.trainable_stages, classifier.head
    device = head.weight.device

    def passed(engine: ForwardEngine) -> torch.Tensor:
        found = engine.run(preprocessing.batches(pixels, "throughput"), n)
        return torch.cat([maps.to(device) for (maps,) in found])

    with torch.inference_mode():
        maps = passed(engines[FLOAT32])
        passing = {
            name: warm_seconds(partial(passed, engine), device=device) for name, engine in engines.items()
        }
        trained = {
            precision: warm_seconds(partial(forward_in, precision, trainable, maps), device=device)
            for precision in dict.fromkeys((FLOAT32, base.precision))
        }
        cells = positions_along(trainable(maps[:1]))
    batch = torch.zeros_like(maps[:1]).expand(base.batch, *maps.shape[1:]).clone()
    if batch.ndim == 4:
        batch = batch.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW([*trainable.parameters(), *head.parameters()], lr=0.0, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        gradient_step(trainable, head, batch, base.precision)
        optimiser.step()

    with freed_memory_kept():
        step_seconds = warm_seconds(step, device=device)
    return Throughput(
        n / passing[FLOAT32],
        n / passing[base.view_precision],
        n / trained[FLOAT32],
        len(batch) / step_seconds,
        maps[0].numel() * 2,
        cells,
        passing[FLOAT32] / passing[active_settings().precision],
        (passing[FLOAT32] + trained[FLOAT32]) / passing[WHOLE],
        trained[FLOAT32] / trained[base.precision],
    )
