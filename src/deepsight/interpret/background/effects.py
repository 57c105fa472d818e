"""Effects of a swap: the BG-gap, and the effect of the background between two classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.interpret.background.clustered_errors import Estimate, clustered_estimate, difference_of_means
from deepsight.interpret.background.swap_design import SwapDesign

ALL = "all"


@dataclass(frozen=True)
class SwapEffect:
    """One row of the table `context`, before its verdict.

    Attributes:
        test: the intervention.
        name: class name, all classes, or a pair of them.
        estimate: with its clustered error.
        n: composites.
        note: what the effect is.
    """

    test: str
    name: str
    estimate: Estimate
    n: int
    note: str


class BackgroundGaps(NamedTuple):
    """The BG-gap as the mean over the classes, and of each class that has objects."""

    whole: SwapEffect
    of_class: dict[int, SwapEffect]


def background_gaps(
    right: NDArray[np.bool_], chosen: SwapDesign, labels: Ints, *, test: str, note: str
) -> BackgroundGaps:
    """The BG-gap as the mean over the classes, and of each class that has objects.

    Args:
        right: bool (c,), whether each composite is classified as its object.
        chosen: the composites.
        labels: int64 (n,), of the images.
        test, note: as in `SwapEffect`.
    """
    own = labels[chosen.subject] == labels[chosen.donor]
    of_class, means, spread = {}, [], np.empty(len(chosen))
    present = np.unique(labels[chosen.subject])
    for c in present:
        at = np.flatnonzero(labels[chosen.subject] == c)
        value, part = difference_of_means(right[at].astype(np.float64), own[at])
        found = clustered_estimate(value, part, chosen.subject[at], chosen.donor[at])
        of_class[int(c)] = SwapEffect(test, "", found, len(at), note)
        means.append(value)
        spread[at] = part / len(present)
    mean = clustered_estimate(float(np.mean(means)), spread, chosen.subject, chosen.donor)
    return BackgroundGaps(SwapEffect(test, ALL, mean, len(chosen), note), of_class)


def pair_effect(
    answers: Ints, chosen: SwapDesign, labels: Ints, pair: tuple[int, int], classes: Sequence[str]
) -> SwapEffect:
    """How much more often an object of either class is predicted as the other, on the other's background."""
    subject, donor = labels[chosen.subject], labels[chosen.donor]
    called_other = (answers == np.where(subject == pair[0], pair[1], pair[0])).astype(np.float64)
    values, spread = [], np.empty(len(chosen))
    for c in pair:
        at = np.flatnonzero(subject == c)
        value, part = difference_of_means(called_other[at], (donor != subject)[at])
        values.append(value)
        spread[at] = part / 2
    found = clustered_estimate(float(np.mean(values)), spread, chosen.subject, chosen.donor)
    name = " / ".join(classes[c] for c in pair)
    return SwapEffect(
        "pair swap", name, found, len(chosen), "called the other class, on its background minus own"
    )
