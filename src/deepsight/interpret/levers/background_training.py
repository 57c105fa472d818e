"""Training on other backgrounds: does it help to break the link between class and background?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepsight.core.array_types import Ints, Pixels, Reals
from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.levers.outcome import ExaminedImages, LeverOutcome
from deepsight.interpret.levers.tools import Retraining

FEWEST = 40  # training images with a usable mask
PASSES = 2.0  # times the recipe's, as composites are few


@dataclass(frozen=True)
class SwappedImages:
    """Training images with another background, and the same images with another one of their own class.

    Attributes:
        rows: int64 (c,), positions in the training split.
        mixed: uint8 (c, h, w, 3), objects on backgrounds of any class.
        matched: uint8 (c, h, w, 3), the same objects on backgrounds of images of their own class.
    """

    rows: Ints
    mixed: Pixels
    matched: Pixels

    def retrainings(self, count: int, *, seed: int) -> tuple[list[Retraining], list[Retraining]]:
        """Trainings by the model's recipe on either kind; replicate r of both has the same seed."""
        arm, control = (
            [Retraining(self.rows, seed + r, "recipe", PASSES, pixels=pixels) for r in range(count)]
            for pixels in (self.mixed, self.matched)
        )
        return arm, control


def swap_backgrounds(pixels: Pixels, labels: Ints, masks: Masks, rows: Ints, *, seed: int) -> SwappedImages:
    """Every object with a usable mask on the background of a random image, and on one of its own class.

    Both are pasted in the same way, so they differ only in whether the background still matches the class
    ("mixed-rand" and "mixed-same" of Xiao et al. 2021).

    Args:
        pixels: of training images, uint8 (r, h, w, 3).
        labels: of these images.
        masks: of these images.
        rows: their positions in the training split, ascending.
        seed: of the donors.

    Raises:
        DeepSightError: fewer than 40 of the masks are usable.
    """
    usable = np.flatnonzero(masks.accepted)
    if len(usable) < FEWEST:
        raise DeepSightError(
            f"Expected at least {FEWEST} training images with a usable mask, found {len(usable)}. "
            "Give the study more time."
        )
    cutouts, own = cut_out(pixels[usable], masks.select(usable)), labels[usable]
    rng, everyone = np.random.default_rng([seed, 17]), np.arange(len(usable))
    return SwappedImages(
        rows[usable],
        cutouts.on(everyone, rng.permutation(everyone)),
        cutouts.on(everyone, shuffled_within(own, rng)),
    )


def shuffled_within(labels: Ints, rng: np.random.Generator) -> Ints:
    """A permutation of positions that moves each within its class."""
    found = np.arange(len(labels))
    for c in np.unique(labels):
        own = np.flatnonzero(labels == c)
        found[own] = rng.permutation(own)
    return found


def judge_backgrounds(
    examined: ExaminedImages, swapped: SwappedImages, arm: Sequence[Reals], control: Sequence[Reals], *,
    seconds: float = 0.0,
) -> LeverOutcome:  # fmt: skip
    """The effect of training on backgrounds of any class, replicate by replicate.

    Args:
        examined: the images.
        swapped: the composites.
        arm, control: logits (m, k) of each replicate.
        seconds: computing time of masks and trainings.
    """
    right = examined.right(np.stack(arm))
    counts = right.sum(axis=0).astype(int)
    return LeverOutcome(
        name="training on other backgrounds",
        arm=f"the model's recipe on {len(swapped.rows)} objects, each on the background of a random image",
        control="the same objects on backgrounds of their own class",
        examined=examined,
        arm_right=right,
        control_right=examined.right(np.stack(control)),
        advice="Collect the classes on other backgrounds, or train on cut-outs and CutMix.",
        treatment="cutmix",
        group="background",
        seconds=seconds,
        paired=True,
        evidence=tuple(f"right in {n} of {len(arm)} trainings on other backgrounds" for n in counts),
    )
