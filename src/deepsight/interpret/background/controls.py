"""Controls of the swap test: conditions for its verdict, and its dependence on the masks."""

from dataclasses import replace

import numpy as np

from deepsight.core.array_types import Bools, Ints, Pixels
from deepsight.core.open_model import Predict
from deepsight.interpret.background.clustered_errors import clustered_estimate, difference_of_means
from deepsight.interpret.background.composites import Cutouts
from deepsight.interpret.background.effects import ALL, BackgroundGaps, SwapEffect, background_gaps
from deepsight.interpret.background.grabcut import WORKING_SIDE, Masks
from deepsight.interpret.background.swap_design import SwapDesign, predict_composites

PLACEBO, ALONE = "placebo masks", "background only"
MATCHED, COLOUR = "matched swap", "mean colour"
MATCHED_DONORS = 3  # per object; the other side of the gap is predicted already


def halo_control(
    cutouts: Cutouts, masks: Masks, labels: Ints, few: SwapDesign, predict: Predict, *, step: int
) -> SwapEffect:
    """The BG-gap again, with objects that are a pixel larger (step 1) or smaller (step −1)."""
    size = cutouts.images.shape[1:3]
    changed = replace(cutouts, cover=masks.grown(step * WORKING_SIDE // max(size)).cover(*size))
    right = predict_composites(changed, few, predict) == labels[few.subject]
    word = "grown" if step > 0 else "shrunk"
    note = f"as swap, objects {word} by a pixel, one donor of each kind"
    return background_gaps(right, few, labels, test=f"halo: {word}", note=note).whole


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


def like_background_design(cutouts: Cutouts, chosen: SwapDesign, labels: Ints, usable: Bools) -> SwapDesign:
    """For each object and donor of its own class, the donor of another class that looks most like that one.

    Donors are alike by the mean colour of their backgrounds. An object stands out from both alike, so what is
    left of the gap is no mismatch of colour. No donor serves an object twice.
    """
    colour = cutouts.backgrounds.mean(axis=(1, 2))
    subjects, donors = [], []
    for at in np.unique(chosen.subject):
        lent = chosen.donor[(chosen.subject == at) & (labels[chosen.donor] == labels[at])][:MATCHED_DONORS]
        pool = np.flatnonzero(usable & (labels != labels[at]))
        for one in lent[: len(pool)]:
            nearest = ((colour[pool] - colour[one]) ** 2).sum(axis=1).argmin()
            subjects.append(at)
            donors.append(pool[nearest])
            pool = np.delete(pool, nearest)
    return SwapDesign(np.array(subjects, dtype=np.int64), np.array(donors, dtype=np.int64))


def matched_control(
    cutouts: Cutouts, chosen: SwapDesign, right: Bools, labels: Ints, usable: Bools, predict: Predict
) -> BackgroundGaps:
    """The BG-gap against donors that look alike, over all classes and of each.

    Args:
        chosen: of the swap test; its composites with donors of the own class are one side of the gap.
        right: bool (c,), whether each of `chosen` is classified as its object.
    """
    alike = like_background_design(cutouts, chosen, labels, usable)
    there = predict_composites(cutouts, alike, predict) == labels[alike.subject]
    return matched_gaps(chosen, right, alike, there, labels)


def matched_gaps(
    chosen: SwapDesign, right: Bools, alike: SwapDesign, there: Bools, labels: Ints
) -> BackgroundGaps:
    """The gap of `matched_control` from predictions that are already made.

    Args:
        chosen, right: of the swap test.
        alike: from `like_background_design`.
        there: bool (m,), whether each of `alike` is classified as its object.
    """
    own = labels[chosen.subject] == labels[chosen.donor]
    both = SwapDesign(
        np.concatenate([chosen.subject[own], alike.subject]), np.concatenate([chosen.donor[own], alike.donor])
    )
    note = "as swap, but the other class's donor is the one that is most like the own class's in mean colour"
    return background_gaps(np.concatenate([right[own], there]), both, labels, test=MATCHED, note=note)


def colour_control(cutouts: Cutouts, labels: Ints, few: SwapDesign, predict: Predict) -> BackgroundGaps:
    """The BG-gap of plain backgrounds in the donors' mean colours: the effect of colour alone."""
    right = predict_composites(with_plain_backgrounds(cutouts), few, predict) == labels[few.subject]
    return background_gaps(right, few, labels, test=COLOUR, note="as swap, donors' mean colour alone")


def with_plain_backgrounds(cutouts: Cutouts) -> Cutouts:
    """The same objects, and each background as one plane of its mean colour."""
    mean = cutouts.backgrounds.mean(axis=(1, 2), keepdims=True)
    plain = np.broadcast_to(np.rint(mean).astype(np.uint8), cutouts.backgrounds.shape)
    return replace(cutouts, backgrounds=plain)


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
