"""Pairs of classes on each other's backgrounds, with more of their objects than the swap test takes."""

from dataclasses import dataclass, field

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.open_model import AskedModel
from deepsight.interpret.background import pictures, sample_sizes
from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.effects import SwapEffect
from deepsight.interpret.background.grabcut import KnownMasks, segment_missing
from deepsight.interpret.background.pair_swap import pair_swap
from deepsight.interpret.findings import Findings
from deepsight.interpret.inputs import ExaminationInputs


@dataclass(frozen=True)
class NamedPairs:
    """The effect of the background on the named pairs.

    Attributes:
        effects: for the table `context`.
        findings: the table `context_pictures` and its pictures.
    """

    effects: list[SwapEffect] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def named_pair_effects(
    inputs: ExaminationInputs, model: AskedModel, objects: int, known: KnownMasks
) -> NamedPairs:
    """The effect of the background on the pairs of classes that a hypothesis names; empty without such pairs.

    Args:
        inputs: what is examined.
        model: the model.
        objects: of the swap test; each class of a pair gets `sample_sizes.pair_objects` of it.
        known: masks that need not be made again.
    """
    data, seed, pairs = inputs.test, inputs.seed, hypothesised_pairs(inputs)
    count = sample_sizes.pair_objects(objects)
    rows = sample_of_classes(data.labels, sorted({c for pair in pairs for c in pair}), count, seed=seed)
    images, labels = data.pixels(rows), data.labels[rows]
    masks = segment_missing(images, rows, known, seed=seed)
    cutouts = cut_out(images, masks)
    tried = [
        pair_swap(
            cutouts, labels, masks.accepted, model.logits, pair=pair, classes=inputs.classes, objects=count,
            donors=sample_sizes.PAIR_DONORS, seed=seed,
        )
        for pair in pairs
    ]  # fmt: skip
    swaps = [swap for swap in tried if swap is not None]
    if not swaps:
        return NamedPairs()
    predicted = inputs.predictions.predicted[rows]
    shown = pictures.draw_context(swaps, cutouts, labels, predicted, inputs.classes, seed=seed)
    return NamedPairs([swap.effect for swap in swaps], shown)


def sample_of_classes(labels: Ints, classes: list[int], count: int, *, seed: int) -> Ints:
    """Positions of enough images of these classes, ascending, in the order of the swap test's own sample."""
    order = np.random.default_rng(seed).permutation(len(labels))
    images = sample_sizes.images_for(count)
    chosen = [order[labels[order] == c][:images] for c in classes]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)


def hypothesised_pairs(inputs: ExaminationInputs) -> list[tuple[int, int]]:
    """The pairs of classes that a hypothesis names, to be tried on each other's backgrounds."""
    place = {name: i for i, name in enumerate(inputs.classes)}
    pairs = [(h.first.classes, h.second.classes) for h in inputs.hypotheses]
    return [(place[a[0]], place[b[0]]) for a, b in pairs if len(a) == len(b) == 1]
