"""Background: is the object recognised on other backgrounds more often than after a matched swap?"""

import numpy as np

from deepsight.core.array_types import Floats, Ints, Pixels
from deepsight.core.errors import DeepSightError
from deepsight.core.open_model import Predict
from deepsight.interpret.background.background_errors import neutral_design
from deepsight.interpret.background.composites import Cutouts, cut_out
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.swap_design import SwapDesign, predict_composites, sample_from
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome


def try_background(
    examined: ExaminedImages, pixels: Pixels, masks: Masks, predict: Predict, *,
    donors: int = 3, seed: int, seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """The object on backgrounds of other classes, against backgrounds of the predicted class.

    Both are pasted in the same way. The control's background supports the predicted class, as the image's own
    may have done; the arm's supports neither that class nor the true one.

    Args:
        examined: the images; those without a usable mask or without both kinds of donors are left out.
        pixels: of these images, uint8 (m, h, w, 3).
        masks: of these images.
        predict: images to logits; called on about 2 · donors images for each.
        donors: backgrounds of each kind for each image.
        seed: of the donors.
        seconds: computing time of the trial.

    Raises:
        DeepSightError: no image has a usable mask and both kinds of donors.
    """
    places = np.flatnonzero(masks.accepted)
    labels, predicted = examined.labels[places], examined.predicted[places]
    everyone, all_usable = np.arange(len(places)), np.ones(len(places), dtype=bool)
    neutral = neutral_design(everyone, labels, predicted, all_usable, donors=donors, seed=seed)
    matched = same_class_design(predicted, donors=donors, seed=seed)
    both = np.intersect1d(neutral.subject, matched.subject)
    if not len(both):
        raise DeepSightError(
            "Expected objects with a usable mask and backgrounds of a third class, found none."
        )
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


def same_class_design(predicted: Ints, *, donors: int, seed: int) -> SwapDesign:
    """Each object on backgrounds of other images that the model assigns to the same class."""
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
    """The share of the composites of each object that are classified correctly, (m,)."""
    right = predict_composites(cutouts, chosen, predict) == labels[chosen.subject]
    tries = np.bincount(chosen.subject, minlength=len(labels))
    return np.asarray(
        np.bincount(chosen.subject, weights=right, minlength=len(labels)) / np.maximum(tries, 1)
    )
