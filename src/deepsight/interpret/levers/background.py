"""The background: is the object recognised on another one, more often than after a placebo swap?"""

from dataclasses import replace

import numpy as np

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.open_model import Predict
from deepsight.interpret.background.background_errors import neutral_design
from deepsight.interpret.background.composites import Cutouts, cut_out
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.swap_design import SwapDesign, predict_composites
from deepsight.interpret.levers.base import ExaminedImages, LeverOutcome


def try_background(
    examined: ExaminedImages, pixels: Pixels, masks: Masks, predict: Predict, *,
    donors: int = 3, seed: int, seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """The object on backgrounds of other classes, against the same swap with another image's mask.

    The placebo pastes as many pixels from the same donors, but cut by the mask of another image, so it shares
    all that pasting does to an image and spares the object no more than chance.

    Args:
        examined: the images; those without a usable mask are left out.
        pixels: of these images, uint8 (m, h, w, 3).
        masks: of these images.
        predict: images to logits; it sees about 2 · donors images for each.
        donors: backgrounds for each image, of classes that are neither true nor predicted.
        seed: of donors and borrowed masks.
        seconds: that the trial took.
    """
    usable = np.flatnonzero(masks.accepted)
    kept = examined.select(usable)
    cutouts = cut_out(pixels[usable], masks.select(usable))
    everyone = np.arange(len(usable))
    chosen = neutral_design(
        everyone, kept.labels, kept.predicted, np.ones(len(usable), dtype=bool), donors=donors, seed=seed
    )
    swapped = share_right(kept.labels, cutouts, chosen, predict)
    placebo = share_right(kept.labels, with_borrowed_masks(cutouts, seed), chosen, predict)
    return LeverOutcome(
        name="other backgrounds",
        arm=f"object on {donors} backgrounds of other classes",
        control="the same swap with another image's mask",
        examined=kept,
        arm_right=swapped[None],
        control_right=placebo[None],
        advice="Collect the classes on other backgrounds, or train on cut-outs and CutMix.",
        treatment="cutmix",
        group="background",
        seconds=seconds,
        evidence=tuple(f"right on {share:.0%} of other backgrounds" for share in swapped),
    )


def share_right(labels: Ints, cutouts: Cutouts, chosen: SwapDesign, predict: Predict) -> Floats:
    """The share of the composites of each object that are right, (m,)."""
    right = predict_composites(cutouts, chosen, predict) == labels[chosen.subject]
    tries = np.bincount(chosen.subject, minlength=len(labels))
    return np.asarray(
        np.bincount(chosen.subject, weights=right, minlength=len(labels)) / np.maximum(tries, 1)
    )


def with_borrowed_masks(cutouts: Cutouts, seed: int) -> Cutouts:
    """The same images, each cut by the mask whose area is next to its own in size.

    So the placebo hides and shows as many pixels as the swap.
    """
    area = cutouts.cover.mean(axis=(1, 2))
    order = np.lexsort((np.random.default_rng(seed).random(len(area)), area))
    lent = np.empty(len(order), dtype=np.int64)
    lent[order] = np.roll(order, 1)
    if len(order) > 1:
        lent[order[0]] = order[1]
    return replace(cutouts, cover=cutouts.cover[lent])
