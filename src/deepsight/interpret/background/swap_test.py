"""Object or background? The swap test, with a known rate of false alarms (docs/methods/context.md)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.evidence import Table
from deepsight.core.open_model import Predict
from deepsight.interpret.background.composites import Cutouts, cut_out
from deepsight.interpret.background.controls import colour_control, matched_control, run_controls
from deepsight.interpret.background.effects import ALL, BackgroundGaps, SwapEffect, background_gaps
from deepsight.interpret.background.evidence_screen import screening_test
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.random_background_head import (
    PooledModel,
    composite_features,
    zero_control,
)
from deepsight.interpret.background.swap_design import (
    SwapDesign,
    make_swap_design,
    predict_composites,
)
from deepsight.interpret.background.verdict import (
    UNITS,
    Beside,
    context_caption,
    context_method,
    context_rows,
    masks_sentence,
    rejected_masks,
)


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
    between: Sequence[SwapEffect] = (),
    alone: NDArray[np.floating] | None = None,
    pooled: PooledModel | None = None,
    seed: int = 0,
) -> Table:
    """Put objects on backgrounds of their own and of other classes, and test whether the answers follow.

    The BG-gap is the accuracy on donors of the same class minus that on donors of other classes (Xiao et al.
    2021). `context_verdict` states the rule.

    Args:
        images: uint8 (n, h, w, 3).
        labels: int64 (n,).
        masks: of these images; rejected masks are not used.
        predict: images -> logits (m, k); called on about objects × (2 donors + 11) + n images.
        classes: k names.
        quality: the masks' measured error.
        objects: at most this many, in equal numbers from each class.
        donors: backgrounds of the own class for each object, and again of other classes.
        delta: the smallest reliance that matters, as a share of images.
        between: effects between pairs of classes (`pair_swap`), judged and listed with the others.
        alone: (n, k), logits of the objects' cells alone; with them the screening test is scored.
        pooled: the same model as features under a linear head; with it the zero of the test is measured.
        seed: random seed.

    Returns:
        The table `context`.

    Raises:
        DeepSightError: fewer than two classes have two accepted masks.
    """
    chosen = make_swap_design(labels, masks.accepted, objects=objects, donors=donors, seed=seed)
    cutouts = cut_out(images, masks)
    answers, zero = swap_answers(cutouts, chosen, labels, predict, pooled)
    right = answers == labels[chosen.subject]
    found = swap_effects(right, chosen, labels, classes) + list(between)
    few = chosen.first_of_each(labels)
    matched = matched_control(cutouts, chosen, right, labels, masks.accepted, predict)
    colour = colour_control(cutouts, labels, few, predict)
    beside = Beside(
        by_name(matched, classes), by_name(colour, classes), rejected_masks(masks, labels, classes)
    )
    if alone is not None:
        found += screening_test(alone, predict(images), right, chosen, labels)
    controls = run_controls(cutouts, masks, labels, few, predict, seed=seed)
    holds = quality.good_enough and controls[0].estimate.interval().low > 0
    listed = [*found, matched.whole, colour.whole, *zero, *controls]
    return Table(
        frame=pl.DataFrame(
            context_rows(listed, delta=delta, holds=holds, beside=beside),
            schema_overrides={"q_value": pl.Float64, "rejected": pl.Float64},
        ),
        units=UNITS,
        n=len(np.unique(chosen.subject)),
        method=context_method(masks, quality, donors, delta),
        caption=context_caption(found[0], delta, holds, beside) + masks_sentence(masks, labels, classes),
    )


def swap_answers(
    cutouts: Cutouts, chosen: SwapDesign, labels: Ints, predict: Predict, pooled: PooledModel | None
) -> tuple[Ints, list[SwapEffect]]:
    """The class predicted for each composite, int64 (c,), and the zero of the test if it can be measured."""
    if pooled is None:
        return predict_composites(cutouts, chosen, predict), []
    features = composite_features(cutouts, chosen, pooled)
    return pooled.answers(features), [zero_control(features, chosen, labels)]


def by_name(gaps: BackgroundGaps, classes: Sequence[str]) -> dict[str, SwapEffect]:
    """Effects by the name of the class, with that of all classes."""
    return {ALL: gaps.whole, **{classes[c]: effect for c, effect in gaps.of_class.items()}}


def swap_effects(
    right: NDArray[np.bool_], chosen: SwapDesign, labels: Ints, classes: Sequence[str]
) -> list[SwapEffect]:
    """The BG-gap over all classes, then of each."""
    note = "accuracy on backgrounds of the own class minus that on others"
    gaps = background_gaps(right, chosen, labels, test="swap", note=note)
    return [gaps.whole, *(replace(finding, name=classes[c]) for c, finding in gaps.of_class.items())]
