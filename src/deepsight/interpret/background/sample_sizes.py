"""How many objects the background test can afford, as a count that a configuration can store."""

import numpy as np

LADDER = (50, 75, 100, 125, 150, 200, 250, 300, 350, 400, 500, 600, 800, 1000)
QUALITY_COMPOSITES = 40  # that `mask_quality.measure_masks` segments in a study
REJECTED = 1 / 3  # planned share of rejected masks, so more images are segmented than objects needed
FIXED_IMAGES = 11  # composites per object for the controls
PAIRS, CLASSES = 3, 10  # planned for: pairs that hypotheses name, and classes of the data
PAIR_DONORS = 3  # backgrounds of each class of a pair
FEWEST_OF_CLASS = 5  # images of each class, of which two must keep a mask
ERRORS, ERROR_IMAGES = 400, 15  # most errors examined; composites of each


def images_for(objects: int) -> int:
    """Images to segment so that about this many masks are accepted."""
    return round(objects / (1 - REJECTED))


def classes_for(objects: int) -> int:
    """The most classes that these objects can be drawn from, with at least five images of each."""
    return max(images_for(objects) // FEWEST_OF_CLASS, 2)


def errors_for(objects: int) -> int:
    """Errors that are put on other backgrounds, drawn at random from all."""
    return min(objects, ERRORS)


def pair_objects(objects: int) -> int:
    """Objects of each class of a named pair, 20 to 150.

    Measured on 242 airplanes and birds with an effect of 14 points: the verdict is BIASED in 35 % of samples
    with 15 objects of each class, in 78 % with 30, in 95 % with 45 and in 99 % with 60.
    """
    return int(np.clip(round(0.45 * objects), 20, 150))


def affordable_objects(seconds: float, *, mask_seconds: float, image_seconds: float, donors: int = 5) -> int:
    """The largest step of the ladder that fits, at least 50; see `swap_seconds`.

    A ladder rather than a quotient, so that small changes of speed do not change the sample. The cost
    includes three pairs of classes (`pair_objects`).

    Args:
        seconds: for masks, their quality check and all predictions.
        mask_seconds: per mask, measured on a few images.
        image_seconds: per prediction, measured on a few batches.
        donors: of each kind, per object.
    """

    def cost(objects: int) -> float:
        return swap_seconds(
            objects, mask_seconds=mask_seconds, image_seconds=image_seconds, pairs=PAIRS, donors=donors
        )

    return max([step for step in LADDER if cost(step) <= seconds], default=LADDER[0])


def swap_seconds(
    objects: int, *, mask_seconds: float, image_seconds: float, pairs: int, donors: int = 5
) -> float:
    """Seconds that the background test takes with this many objects and so many named pairs of classes."""
    paired = 2 * pairs * pair_objects(objects)
    fresh = images_for(paired) - 2 * pairs / CLASSES * images_for(objects)
    masks = QUALITY_COMPOSITES + images_for(objects) + max(fresh, 0) + errors_for(objects)
    composites = (2 * donors + FIXED_IMAGES) * objects + 2 * PAIR_DONORS * paired
    composites += ERROR_IMAGES * errors_for(objects)
    return masks * mask_seconds + (images_for(objects) + composites) * image_seconds
