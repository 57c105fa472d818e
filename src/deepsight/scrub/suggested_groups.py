"""Suggests groups where none are declared: frames of one scene, by name or time, and near-duplicates.

Names and times alone are not enough: cameras number their files too, and photographs of a zoo visit are no
video. Images count as a sequence if neighbours look far more alike than two random images of the same class.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from deepsight.core.array_types import Bools, Floats, Ints
from deepsight.core.dataset import Dataset
from deepsight.scrub.duplicates.clusters import components

LOOKED_AT = 6_000  # the largest number of images that are searched
THUMBNAIL = 8  # pixels per side
ALIKE = 0.5  # of the usual difference within a class, below which neighbours belong to one group
SMALLEST = 3  # images in a group
SHARE = 0.5  # of the images, that must be in such groups before they are suggested
PAUSE = 30.0  # seconds between two photographs of one scene, at most
COPIES_SHARE = 0.05  # of the images, that must have near-duplicates before groups of them are suggested
COUNTER = re.compile(r"^(.*?)(\d+)(\.[^./]*)?$")


@dataclass(frozen=True)
class SuggestedGroups:
    """Groups that were inferred rather than declared.

    Attributes:
        by: the source: "file names", "times of exposure" or "near-duplicates".
        groups: int64 (n,), the group of each image of all parts, one part after the other.
        n_groups: number of groups of at least three images; of at least two for near-duplicates.
        share: of the images, that are in such groups.
        example: the first and the last file of the largest group, or empty.
    """

    by: str
    groups: Ints
    n_groups: int
    share: float
    example: str


def suggest_groups(parts: Sequence[Dataset], times: Sequence[Floats] | None = None) -> SuggestedGroups | None:
    """The groups of consecutive, similar images in all parts together; None if there are none.

    File names are tried first, then times.

    Args:
        parts: splits of one data set.
        times: for each part, when each image was taken, float64 (n,) in seconds; NaN where unknown.
    """
    if not 2 * SMALLEST <= sum(map(len, parts)) <= LOOKED_AT:
        return None
    by_name = None if any(part.files is None for part in parts) else ordered_by_name(files_in_order(parts))
    by_time = None if times is None else ordered_by_time(np.concatenate(list(times)))
    for by, ordered in (("file names", by_name), ("times of exposure", by_time)):
        if ordered is not None and (found := cut_sequence(by, *ordered, parts)) is not None:
            return found
    return None


def files_in_order(parts: Sequence[Dataset]) -> list[str]:
    """The files of all parts, one after the other."""
    return [str(file) for part in parts if part.files is not None for file in part.files]


def ordered_by_name(files: Sequence[str]) -> tuple[Ints, Bools] | None:
    """The order of numbered names, and which neighbours differ only in the number; None if few have one."""
    counted = [COUNTER.match(file) for file in files]
    if sum(match is not None for match in counted) < SHARE * len(files):
        return None
    keys = [
        ((m.group(1).rsplit("/", 1)[-1], int(m.group(2))) if m else (file, 0)) + (file,)
        for m, file in zip(counted, files, strict=True)
    ]
    order = np.array(sorted(range(len(files)), key=lambda row: keys[row]), dtype=np.int64)
    return order, np.array([keys[a][0] == keys[b][0] for a, b in pairwise(order)])


def ordered_by_time(times: Floats) -> tuple[Ints, Bools] | None:
    """The order of exposure, and which neighbours follow within `PAUSE`; None if few times are known."""
    if np.isfinite(times).mean() < SHARE:
        return None
    order = np.argsort(times, kind="stable")  # NaN comes last
    gaps = np.diff(times[order])
    return order, np.isfinite(gaps) & (gaps <= PAUSE)


def cut_sequence(by: str, order: Ints, near: Bools, parts: Sequence[Dataset]) -> SuggestedGroups | None:
    """The sequence, cut where neighbours differ too much or are not `near`; None if there are no groups."""
    small = np.concatenate([grey_thumbnails(part) for part in parts])
    between = np.abs(small[order[1:]] - small[order[:-1]]).mean(axis=1)
    usual = usual_difference(small, np.concatenate([part.labels for part in parts]))
    if not near.any() or usual <= 0:
        return None
    groups = np.empty(len(order), dtype=np.int64)
    groups[order] = np.concatenate([[0], np.cumsum(~(near & (between < ALIKE * usual)))])
    sizes = np.bincount(groups)
    large = np.flatnonzero(sizes >= SMALLEST)
    share = float(sizes[large].sum() / len(order))
    if share < SHARE or len(large) < 2:
        return None
    members = [row for row in order if groups[row] == int(np.argmax(sizes))]
    return SuggestedGroups(by, groups, len(large), share, example_of(members, parts))


def example_of(rows: Sequence[int], parts: Sequence[Dataset]) -> str:
    """The first and the last file of a group; empty if the images have no names."""
    if any(part.files is None for part in parts):
        return ""
    files = files_in_order(parts)
    return f"{files[rows[0]]} … {files[rows[-1]]}"


def grey_thumbnails(data: Dataset) -> Floats:
    """The images as small grey ones, flattened (n, 64), 0 to 255."""
    found = []
    for start in range(0, len(data), 1024):
        for image in data.pixels(slice(start, start + 1024)):
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            found.append(cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel())
    return np.array(found, dtype=np.float64).reshape(-1, THUMBNAIL**2)


def usual_difference(small: Floats, labels: Ints) -> float:
    """The median difference of two random images of one class."""
    rng, found = np.random.default_rng(0), []
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        if len(rows) > 1:
            a, b = rng.choice(rows, 200), rng.choice(rows, 200)
            found.append(np.abs(small[a] - small[b])[a != b].mean(axis=1))
    return float(np.median(np.concatenate(found))) if found else 0.0


def groups_of_pairs(i: Ints, j: Ints, parts: Sequence[Dataset]) -> SuggestedGroups | None:
    """The groups that pairs of near-duplicates connect; None if few images have one.

    Args:
        i, j: int64 (p,), rows of the parts, one after the other.
        parts: splits of one data set.
    """
    n = sum(map(len, parts))
    groups = components(i, j, n)
    sizes = np.bincount(groups, minlength=1)
    share = float(sizes[sizes > 1].sum() / max(n, 1))
    if share < COPIES_SHARE:
        return None
    members = np.flatnonzero(groups == int(np.argmax(sizes))).tolist()
    n_groups, example = int((sizes > 1).sum()), example_of(members, parts)
    return SuggestedGroups("near-duplicates", groups, n_groups, share, example)
