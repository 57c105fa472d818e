"""Object or background? Interventions decide, with a known rate of false alarms (docs/methods/context.md)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.evidence import Table
from deepsight.interpret.background.composites import take_apart
from deepsight.interpret.background.controls import run_controls
from deepsight.interpret.background.effects import Finding, gaps
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.screen import screen
from deepsight.interpret.background.swap_design import Design, Predict, design, run
from deepsight.interpret.background.verdict import UNITS, caption, method, rows


def swap_test(
    images: Pixels,
    labels: Ints,
    masks: Masks,
    predict: Predict,
    *,
    classes: Sequence[str],
    quality: MaskQuality,
    objects: int = 1000,
    donors: int = 5,
    delta: float = 0.05,
    between: Sequence[Finding] = (),
    alone: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> Table:
    """Put objects on backgrounds of their own and of other classes, and see whether the answer follows.

    The BG-gap is the accuracy on donors of the same class minus that on donors of other classes (Xiao et al.
    2021). See `verdict` for the rule.

    Args:
        images: uint8 (n, h, w, 3), as the model gets them.
        labels: int64 (n,).
        masks: of these images; rejected ones are not used.
        predict: images -> logits (m, k); it sees about objects × (2 donors + 6) + n images in all.
        classes: k names.
        quality: the masks' measured error.
        objects: at most this many, in equal numbers from each class.
        donors: backgrounds of its own class for each object, and as many of others.
        delta: the reliance that matters, as a share of images.
        between: of pairs of classes (`pair_swap`), to be judged and listed with the others.
        alone: (n, k), logits of the objects' cells alone; with them the screen is scored.
        seed: of every choice.

    Returns:
        The table `context`.

    Raises:
        DeepSightError: a class has fewer than two accepted masks.
    """
    chosen = design(labels, masks.accepted, objects=objects, donors=donors, seed=seed)
    parts = take_apart(images, masks)
    right = run(parts, chosen, predict) == labels[chosen.subject]
    found = swaps(right, chosen, labels, classes) + list(between)
    if alone is not None:
        found += screen(alone, predict(images), right, chosen, labels)
    controls = run_controls(parts, masks, labels, chosen.first_of_each(labels), predict, seed=seed)
    holds = quality.good_enough and controls[0].found.interval().low > 0
    return Table(
        frame=pl.DataFrame(
            rows(found + controls, delta=delta, holds=holds), schema_overrides={"q_value": pl.Float64}
        ),
        units=UNITS,
        n=len(np.unique(chosen.subject)),
        method=method(masks, quality, donors, delta),
        caption=caption(found[0], delta, holds),
    )


def swaps(right: NDArray[np.bool_], chosen: Design, labels: Ints, classes: Sequence[str]) -> list[Finding]:
    """The BG-gap over all classes, then of each."""
    note = "accuracy on backgrounds of the own class minus that on others"
    whole, of_class = gaps(right, chosen, labels, test="swap", note=note)
    return [whole, *(replace(finding, name=classes[c]) for c, finding in of_class.items())]
