"""Controls of the swap test: what must hold before it is believed, and how far it depends on the masks."""

from dataclasses import replace

import numpy as np

from deepsight.core.array_types import Ints, Pixels
from deepsight.core.open_model import Predict
from deepsight.interpret.background.clustered_errors import clustered_estimate, difference_of_means
from deepsight.interpret.background.composites import Cutouts
from deepsight.interpret.background.effects import ALL, SwapEffect, background_gaps
from deepsight.interpret.background.grabcut import WORKING_SIDE, Masks
from deepsight.interpret.background.swap_design import SwapDesign, predict_composites

PLACEBO, ALONE = "placebo masks", "background only"


def halo_control(
    cutouts: Cutouts, masks: Masks, labels: Ints, few: SwapDesign, predict: Predict, *, step: int
) -> SwapEffect:
    """The BG-gap again, with objects that are a pixel larger (step 1) or smaller (step −1)."""
    size = cutouts.images.shape[1:3]
    changed = replace(cutouts, cover=masks.grown(step * WORKING_SIDE // max(size)).cover(*size))
    right = predict_composites(changed, few, predict) == labels[few.subject]
    word = "grown" if step > 0 else "shrunk"
    note = f"as swap, objects {word} by a pixel, one donor of each kind"
    return background_gaps(right, few, labels, test=f"halo: {word}", note=note)[0]


def placebo_control(
    cutouts: Cutouts, masks: Masks, labels: Ints, few: SwapDesign, predict: Predict, *, seed: int
) -> SwapEffect:
    """Accuracy on other backgrounds with the objects' own masks, minus that with masks of other images.

    Where this is not above 0, the masks do not hold the objects and the swap test says nothing.
    """
    usable = np.flatnonzero(masks.accepted)
    lent = np.arange(len(masks))
    lent[usable] = np.roll(usable, 1 + int(np.random.default_rng(seed).integers(len(usable) - 1)))
    away = labels[few.subject] != labels[few.donor]
    there = SwapDesign(few.subject[away], few.donor[away])
    right = [
        predict_composites(tried, there, predict) == labels[there.subject]
        for tried in (cutouts, replace(cutouts, cover=cutouts.cover[lent]))
    ]
    value, spread = difference_of_means(
        np.concatenate(right).astype(np.float64), np.repeat([True, False], len(there))
    )
    found = clustered_estimate(value, spread, np.tile(there.subject, 2), np.tile(there.donor, 2))
    note = "accuracy on other backgrounds, own mask minus another image's"
    return SwapEffect(PLACEBO, ALL, found, 2 * len(there), note)


def background_only(backgrounds: Pixels, labels: Ints, predict: Predict) -> SwapEffect:
    """Mean recall on images whose object was removed, minus chance (1 / number of classes present)."""
    predicted = np.concatenate(
        [predict(backgrounds[i : i + 512]).argmax(axis=1) for i in range(0, len(labels), 512)]
    )
    present, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    right = (predicted == labels).astype(np.float64)
    recall = np.bincount(place, weights=right) / counts
    spread = (right - recall[place]) / (counts[place] * len(present))
    rows = np.arange(len(labels))
    found = clustered_estimate(float(recall.mean()) - 1 / len(present), spread, rows, rows)
    return SwapEffect(ALONE, ALL, found, len(labels), "mean recall without the object minus chance")


def run_controls(
    cutouts: Cutouts, masks: Masks, labels: Ints, few: SwapDesign, predict: Predict, *, seed: int
) -> list[SwapEffect]:
    """The placebo control, both halo controls, then the backgrounds alone."""
    usable = masks.accepted
    return [
        placebo_control(cutouts, masks, labels, few, predict, seed=seed),
        halo_control(cutouts, masks, labels, few, predict, step=1),
        halo_control(cutouts, masks, labels, few, predict, step=-1),
        background_only(cutouts.backgrounds[usable], labels[usable], predict),
    ]
