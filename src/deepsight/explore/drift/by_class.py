"""Two sets of images, compared as a whole and class by class."""

from collections.abc import Iterator, Sequence

import numpy as np

from deepsight.core.array_types import Ints

WHOLE = "all"
FEWEST = 20  # images of a class in either set; fewer show no drift of a useful size


def comparable_rows(before: Ints, after: Ints, classes: Sequence[str]) -> Iterator[tuple[str, Ints, Ints]]:
    """The rows of both sets to compare: of all images, then of each class that has enough in both.

    Args:
        before, after: int64 (n,) and (m,), the class of each image.
        classes: names of the classes.
    """
    yield WHOLE, np.arange(len(before)), np.arange(len(after))
    for c, name in enumerate(classes):
        ours, theirs = np.flatnonzero(before == c), np.flatnonzero(after == c)
        if min(len(ours), len(theirs)) >= FEWEST:
            yield name, ours, theirs
