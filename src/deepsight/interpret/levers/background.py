"""The background: is the object recognised on another one, more often than after a matched swap?"""

import numpy as np

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.open_model import Predict
from deepsight.interpret.background.background_errors import neutral_design
from deepsight.interpret.background.composites import Cutouts, cut_out
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.swap_design import SwapDesign, predict_composites, sample_from
from deepsight.interpret.levers.base import ExaminedImages, LeverOutcome


def try_background(
    examined: ExaminedImages, pixels: Pixels, masks: Masks, predict: Predict, *,
    donors: int = 3, seed: int, seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """The object on backgrounds of other classes, against backgrounds that go with what the model said.

    Both are pasted alike. The placebo's background speaks for the class that the model said, as the image's
    own may have done; the arm's speaks neither for it nor for the true class.

    Args:
        examined: the images; those without a usable mask or without both kinds of donors are left out.
        pixels: of these images, uint8 (m, h, w, 3).
        masks: of these images.
        predict: images to logits; it sees about 2 · donors images for each.
        donors: backgrounds of each kind for each image.
        seed: of the donors.
        seconds: that the trial took.
    """
    places = np.flatnonzero(masks.accepted)
    labels, predicted = examined.labels[places], examined.predicted[places]
    everyone, all_usable = np.arange(len(places)), np.ones(len(places), dtype=bool)
    neutral = neutral_design(everyone, labels, predicted, all_usable, donors=donors, seed=seed)
    matched = matched_design(predicted, donors=donors, seed=seed)
    both = np.intersect1d(neutral.subject, matched.subject)
    cutouts = cut_out(pixels[places], masks.select(places))
    kept = examined.select(places[both])
    swapped, placebo = (share_right(labels, cutouts, chosen, predict)[both] for chosen in (neutral, matched))
    return LeverOutcome(
        name="other backgrounds",
        arm=f"object on {donors} backgrounds of other classes",
        control=f"object on {donors} backgrounds of images that the model assigns to the same class",
        examined=kept,
        arm_right=swapped[None],
        control_right=placebo[None],
        advice="Collect the classes on other backgrounds, or train on cut-outs and CutMix.",
        treatment="cutmix",
        group="background",
        seconds=seconds,
        evidence=tuple(f"right on {share:.0%} of other backgrounds" for share in swapped),
    )


def matched_design(predicted: Ints, *, donors: int, seed: int) -> SwapDesign:
    """Each object on backgrounds of other images that the model takes for the same class."""
    rng = np.random.default_rng([seed, 1])
    everyone = np.arange(len(predicted))
    pairs = [
        (subject, donor)
        for subject in everyone
        for donor in sample_from(
            rng, everyone[(predicted == predicted[subject]) & (everyone != subject)], donors
        )
    ]
    subject, donor = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return SwapDesign(subject, donor)


def share_right(labels: Ints, cutouts: Cutouts, chosen: SwapDesign, predict: Predict) -> Floats:
    """The share of the composites of each object that are right, (m,)."""
    right = predict_composites(cutouts, chosen, predict) == labels[chosen.subject]
    tries = np.bincount(chosen.subject, minlength=len(labels))
    return np.asarray(
        np.bincount(chosen.subject, weights=right, minlength=len(labels)) / np.maximum(tries, 1)
    )
