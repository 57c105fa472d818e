"""Pairs of classes on each other's backgrounds, on more of their objects than the swap test looks at."""

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Evidence
from deepsight.core.open_model import OpenModel
from deepsight.interpret.background import pictures as context_pictures
from deepsight.interpret.background import sample_sizes
from deepsight.interpret.background.composites import take_apart
from deepsight.interpret.background.effects import Finding
from deepsight.interpret.background.grabcut import Masks, with_known
from deepsight.interpret.background.pair_swap import pair_swap
from deepsight.interpret.inputs import ExaminationInputs


def pairs_of(
    inputs: ExaminationInputs, model: OpenModel, objects: int, known: tuple[Ints, Masks]
) -> tuple[list[Finding], Evidence, dict[str, bytes]]:
    """What the background makes of the pairs of classes that a hypothesis names.

    Args:
        inputs: what is examined.
        model: the model.
        objects: of the swap test; each class of a pair gets `context_budget.pair_objects` of it.
        known: positions of images whose masks are there, ascending, and these masks.

    Returns:
        Findings for the table `context`, the table `context_pictures` and its pictures; nothing where no
        pair is named.
    """
    data, seed, pairs = inputs.test, inputs.seed, context_pairs(inputs)
    count = sample_sizes.pair_objects(objects)
    rows = rows_of(data.labels, sorted({c for pair in pairs for c in pair}), count, seed=seed)
    images, labels = data.pixels(rows), data.labels[rows]
    found = with_known(images, rows, known, seed=seed)
    parts = take_apart(images, found)
    tried = [
        pair_swap(
            parts, labels, found.accepted, model.logits, pair=pair, classes=inputs.classes, objects=count,
            donors=sample_sizes.PAIR_DONORS, seed=seed,
        )
        for pair in pairs
    ]  # fmt: skip
    swaps = [swap for swap in tried if swap is not None]
    if not swaps:
        return [], Evidence(), {}
    predicted = inputs.predictions.predicted[rows]
    table, pictures = context_pictures.table(swaps, parts, labels, predicted, inputs.classes, seed=seed)
    return [swap.finding for swap in swaps], Evidence({"context_pictures": table}), pictures


def rows_of(labels: Ints, classes: list[int], count: int, *, seed: int) -> Ints:
    """Positions of enough images of these classes, ascending, in the order of the swap test's own sample."""
    order = np.random.default_rng(seed).permutation(len(labels))
    images = sample_sizes.images_for(count)
    chosen = [order[labels[order] == c][:images] for c in classes]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.int64)


def context_pairs(inputs: ExaminationInputs) -> list[tuple[int, int]]:
    """The pairs of classes that a hypothesis names, to be tried on each other's backgrounds."""
    place = {name: i for i, name in enumerate(inputs.classes)}
    pairs = [(h.first.classes, h.second.classes) for h in inputs.hypotheses]
    return [(place[a[0]], place[b[0]]) for a, b in pairs if len(a) == len(b) == 1]
