"""What must hold before the swap test is believed, and how far its answer depends on the masks."""

from dataclasses import replace

import numpy as np

from deepsight.core.array_types import Ints, Pixels
from deepsight.interpret.background.clustered_errors import contributions, estimate
from deepsight.interpret.background.composites import Parts
from deepsight.interpret.background.effects import ALL, Finding, gaps
from deepsight.interpret.background.grabcut import WORKING_SIDE, Masks
from deepsight.interpret.background.swap_design import Design, Predict, run

PLACEBO, ALONE = "placebo masks", "background only"


def halo(parts: Parts, masks: Masks, labels: Ints, few: Design, predict: Predict, *, step: int) -> Finding:
    """The BG-gap again, with objects that are a pixel larger (step 1) or smaller (step −1)."""
    size = parts.images.shape[1:3]
    changed = replace(parts, cover=masks.grown(step * WORKING_SIDE // max(size)).cover(*size))
    right = run(changed, few, predict) == labels[few.subject]
    word = "grown" if step > 0 else "shrunk"
    note = f"as swap, objects {word} by a pixel, one donor of each kind"
    return gaps(right, few, labels, test=f"halo: {word}", note=note)[0]


def placebo(parts: Parts, masks: Masks, labels: Ints, few: Design, predict: Predict, *, seed: int) -> Finding:
    """Accuracy on other backgrounds with the objects' own masks, minus that with masks of other images.

    Where this is not above 0, the masks do not hold the objects and the swap test says nothing.
    """
    usable = np.flatnonzero(masks.accepted)
    lent = np.arange(len(masks))
    lent[usable] = np.roll(usable, 1 + int(np.random.default_rng(seed).integers(len(usable) - 1)))
    away = labels[few.subject] != labels[few.donor]
    there = Design(few.subject[away], few.donor[away])
    right = [
        run(tried, there, predict) == labels[there.subject]
        for tried in (parts, replace(parts, cover=parts.cover[lent]))
    ]
    value, spread = contributions(
        np.concatenate(right).astype(np.float64), np.repeat([True, False], len(there))
    )
    found = estimate(value, spread, np.tile(there.subject, 2), np.tile(there.donor, 2))
    note = "accuracy on other backgrounds, own mask minus another image's"
    return Finding(PLACEBO, ALL, found, 2 * len(there), note)


def background_only(backgrounds: Pixels, labels: Ints, predict: Predict) -> Finding:
    """Mean recall on images whose object was taken out, minus the chance of one in the classes present."""
    predicted = np.concatenate(
        [predict(backgrounds[i : i + 512]).argmax(axis=1) for i in range(0, len(labels), 512)]
    )
    present, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    right = (predicted == labels).astype(np.float64)
    recall = np.bincount(place, weights=right) / counts
    spread = (right - recall[place]) / (counts[place] * len(present))
    rows = np.arange(len(labels))
    found = estimate(float(recall.mean()) - 1 / len(present), spread, rows, rows)
    return Finding(ALONE, ALL, found, len(labels), "mean recall without the object minus chance")


def run_controls(
    parts: Parts, masks: Masks, labels: Ints, few: Design, predict: Predict, *, seed: int
) -> list[Finding]:
    """Placebo first, then both halos, then the backgrounds alone."""
    usable = masks.accepted
    return [
        placebo(parts, masks, labels, few, predict, seed=seed),
        halo(parts, masks, labels, few, predict, step=1),
        halo(parts, masks, labels, few, predict, step=-1),
        background_only(parts.backgrounds[usable], labels[usable], predict),
    ]
