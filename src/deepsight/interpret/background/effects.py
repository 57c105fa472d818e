"""Effects of a swap: the BG-gap, and the pull between two classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Ints
from deepsight.interpret.background.clustered_errors import Estimate, contributions, estimate
from deepsight.interpret.background.swap_design import Design

ALL = "all"


@dataclass(frozen=True)
class Finding:
    """One row of the context table before its verdict."""

    test: str
    name: str
    found: Estimate
    n: int
    note: str


def gaps(
    right: NDArray[np.bool_], chosen: Design, labels: Ints, *, test: str, note: str
) -> tuple[Finding, dict[int, Finding]]:
    """The BG-gap as the mean over the classes, and of each class that has objects.

    Args:
        right: bool (c,), whether each composite is classified as its object.
        chosen: what each composite shows.
        labels: int64 (n,), of the images.
        test, note: of the findings.
    """
    own = labels[chosen.subject] == labels[chosen.donor]
    of_class, means, spread = {}, [], np.empty(len(chosen))
    present = np.unique(labels[chosen.subject])
    for c in present:
        at = np.flatnonzero(labels[chosen.subject] == c)
        value, part = contributions(right[at].astype(np.float64), own[at])
        found = estimate(value, part, chosen.subject[at], chosen.donor[at])
        of_class[int(c)] = Finding(test, "", found, len(at), note)
        means.append(value)
        spread[at] = part / len(present)
    mean = estimate(float(np.mean(means)), spread, chosen.subject, chosen.donor)
    return Finding(test, ALL, mean, len(chosen), note), of_class


def pull(
    answers: Ints, chosen: Design, labels: Ints, pair: tuple[int, int], classes: Sequence[str]
) -> Finding:
    """How much more often an object of either class is called the other on the other's background."""
    subject, donor = labels[chosen.subject], labels[chosen.donor]
    called_other = (answers == np.where(subject == pair[0], pair[1], pair[0])).astype(np.float64)
    values, spread = [], np.empty(len(chosen))
    for c in pair:
        at = np.flatnonzero(subject == c)
        value, part = contributions(called_other[at], (donor != subject)[at])
        values.append(value)
        spread[at] = part / 2
    found = estimate(float(np.mean(values)), spread, chosen.subject, chosen.donor)
    name = " / ".join(classes[c] for c in pair)
    return Finding(
        "pair swap", name, found, len(chosen), "called the other class, on its background minus own"
    )
