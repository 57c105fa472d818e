"""Groups that nobody declared: file names that count the frames of one scene, and pictures that agree.

Names alone prove nothing: cameras count too. A sequence is one if neighbours in the order of the names look
far more alike than two images of the same class elsewhere.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from deepsight.core.array_types import Floats, Ints
from deepsight.core.dataset import Dataset

LOOKED_AT = 6_000  # images at most
THUMBNAIL = 8  # pixels a side
ALIKE = 0.5  # of the usual difference within a class: below it, neighbours belong together
SMALLEST = 3  # images of a group
SHARE = 0.5  # of the images that must be in such groups before they are suggested
COUNTER = re.compile(r"^(.*?)(\d+)(\.[^./]*)?$")


@dataclass(frozen=True)
class SuggestedGroups:
    """Groups that names and pictures suggest.

    Attributes:
        groups: int64 (n,), the group of each image of the parts, one after the other.
        n_groups: groups of at least three images.
        share: of the images that are in such groups.
        likeness: difference of neighbours over that of two images of a class, 0 to about 1.
        example: the first and the last file of the largest group.
    """

    groups: Ints
    n_groups: int
    share: float
    likeness: float
    example: str


def suggest_groups(parts: list[Dataset]) -> SuggestedGroups | None:
    """The groups of consecutive, similar images in these parts together; None where there is no such order.

    Args:
        parts: splits of one data set, whose files have names.
    """
    if any(part.files is None for part in parts) or not 2 * SMALLEST <= sum(map(len, parts)) <= LOOKED_AT:
        return None
    files = [str(file) for part in parts if part.files is not None for file in part.files]
    labels = np.concatenate([part.labels for part in parts])
    counted = [COUNTER.match(file) for file in files]
    if sum(match is not None for match in counted) < SHARE * len(files):
        return None
    keys = [
        ((m.group(1).rsplit("/", 1)[-1], int(m.group(2))) if m else (file, 0)) + (file,)
        for m, file in zip(counted, files, strict=True)
    ]
    order = np.array(sorted(range(len(files)), key=lambda row: keys[row]), dtype=np.int64)
    small = np.concatenate([thumbnails(part) for part in parts])
    return cut_sequence(order, [keys[row][0] for row in order], small, labels, files)


def thumbnails(data: Dataset) -> Floats:
    """The images as tiny greys (n, 64)."""
    found = []
    for start in range(0, len(data), 1024):
        for image in data.pixels(slice(start, start + 1024)):
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            found.append(cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel())
    return np.array(found, dtype=np.float64)


def cut_sequence(
    order: Ints, prefixes: list[str], small: Floats, labels: Ints, files: list[str]
) -> SuggestedGroups | None:
    """The sequence cut where neighbours differ as two images of a class do, or where the names change."""
    between = np.abs(small[order[1:]] - small[order[:-1]]).mean(axis=1)
    usual = usual_difference(small, labels)
    same_name = np.array([a == b for a, b in pairwise(prefixes)])
    if not same_name.any() or usual <= 0:
        return None
    together = same_name & (between < ALIKE * usual)
    groups = np.empty(len(order), dtype=np.int64)
    groups[order] = np.concatenate([[0], np.cumsum(~together)])
    sizes = np.bincount(groups)
    large = np.flatnonzero(sizes >= SMALLEST)
    share = float(sizes[large].sum() / len(order))
    if share < SHARE or len(large) < 2:
        return None
    members = [files[row] for row in order if groups[row] == int(np.argmax(sizes))]
    likeness = float(np.median(between[same_name]) / usual)
    return SuggestedGroups(groups, len(large), share, likeness, f"{members[0]} … {members[-1]}")


def usual_difference(small: Floats, labels: Ints) -> float:
    """The median difference of two images of one class that are drawn at random."""
    rng, found = np.random.default_rng(0), []
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        if len(rows) > 1:
            a, b = rng.choice(rows, 200), rng.choice(rows, 200)
            found.append(np.abs(small[a] - small[b])[a != b].mean(axis=1))
    return float(np.median(np.concatenate(found))) if found else 0.0
