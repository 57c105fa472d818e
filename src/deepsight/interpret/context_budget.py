"""How many objects the context test can afford, as a count that a configuration can keep."""

LADDER = (50, 100, 150, 200, 300, 400, 600, 800, 1000)
QUALITY_COMPOSITES = 40  # what `mask_quality.measure` should be called with in a study
REJECTED = 1 / 3  # of the masks; more images are segmented than there are objects
FIXED_IMAGES = 6  # composites of an object for the controls


def images_for(objects: int) -> int:
    """Images to segment so that about this many are accepted."""
    return round(objects / (1 - REJECTED))


def affordable_objects(seconds: float, *, mask_seconds: float, image_seconds: float, donors: int = 5) -> int:
    """The largest step of the ladder that fits, at least 50.

    A ladder, not a quotient: a machine that is a few per cent faster today still gives the same sample.

    Args:
        seconds: for masks, their check and all predictions.
        mask_seconds: one mask, measured on a few images.
        image_seconds: one prediction, measured on a few batches.
        donors: of each kind.
    """
    left = seconds - QUALITY_COMPOSITES * mask_seconds
    segmented = 1 / (1 - REJECTED)
    each = segmented * (mask_seconds + image_seconds) + (2 * donors + FIXED_IMAGES) * image_seconds
    return max([step for step in LADDER if step * each <= left], default=LADDER[0])
