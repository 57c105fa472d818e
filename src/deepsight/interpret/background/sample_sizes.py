"""How many objects the context test can afford, as a count that a configuration can keep."""

import numpy as np

LADDER = (50, 75, 100, 125, 150, 200, 250, 300, 350, 400, 500, 600, 800, 1000)
QUALITY_COMPOSITES = 40  # what `mask_quality.measure` should be called with in a study
REJECTED = 1 / 3  # of the masks; more images are segmented than there are objects
FIXED_IMAGES = 6  # composites of an object for the controls
PAIRS, CLASSES = 3, 10  # planned for: pairs that hypotheses name, of so many classes
PAIR_DONORS = 3  # backgrounds of either class
ERRORS, ERROR_IMAGES = 400, 8  # errors looked at at most; composites of each


def images_for(objects: int) -> int:
    """Images to segment so that about this many are accepted."""
    return round(objects / (1 - REJECTED))


def errors_for(objects: int) -> int:
    """Errors that are put on other backgrounds, besides those among the objects."""
    return min(objects, ERRORS)


def pair_objects(objects: int) -> int:
    """Objects of each class of a named pair, 20 to 150.

    Measured on 242 airplanes and birds, whose pull was 14 points: 15 objects of each class call it BIASED in
    35 % of samples, 30 in 78 %, 45 in 95 % and 60 in 99 %.
    """
    return int(np.clip(round(0.45 * objects), 20, 150))


def affordable_objects(seconds: float, *, mask_seconds: float, image_seconds: float, donors: int = 5) -> int:
    """The largest step of the ladder that fits, at least 50.

    A ladder, not a quotient: a machine that is a few per cent faster today still gives the same sample.
    Three pairs of classes are planned for (`pair_objects`).

    Args:
        seconds: for masks, their check and all predictions.
        mask_seconds: one mask, measured on a few images.
        image_seconds: one prediction, measured on a few batches.
        donors: of each kind.
    """

    def cost(objects: int) -> float:
        paired = 2 * PAIRS * pair_objects(objects)
        fresh = images_for(paired) - 2 * PAIRS / CLASSES * images_for(objects)
        masks = QUALITY_COMPOSITES + images_for(objects) + max(fresh, 0) + errors_for(objects)
        composites = (2 * donors + FIXED_IMAGES) * objects + 2 * PAIR_DONORS * paired
        composites += ERROR_IMAGES * errors_for(objects)
        return masks * mask_seconds + (images_for(objects) + composites) * image_seconds

    return max([step for step in LADDER if cost(step) <= seconds], default=LADDER[0])
