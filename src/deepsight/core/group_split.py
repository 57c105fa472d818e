"""A split that keeps images that belong together, such as those of one patient, on one side."""

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError


def grouped_rows(labels: Ints, groups: Ints, *, share: float, seed: int) -> tuple[Ints, Ints]:
    """Rows kept and rows held out, both ascending: no group on both sides, classes as even as groups allow.

    Scikit-learn's `StratifiedGroupKFold` proposes folds. The one that is held out leaves every class among
    the kept rows; among such folds it has the most classes, then the size closest to the share.

    Args:
        labels: int64 (n,).
        groups: int64 (n,), which rows belong together.
        share: of the rows to hold out, in (0, 1).
        seed: random seed of the folds.

    Raises:
        DeepSightError: there are fewer than two groups, or every split would leave some class without rows
            to learn from.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    distinct, sizes = len(np.unique(groups)), np.unique(labels, return_counts=True)[1]
    classes = len(sizes)
    if distinct < 2:
        raise DeepSightError(
            f"Expected at least two groups to split by, received {distinct}: nothing could be held out. Name "
            "another column, or leave the groups out."
        )
    if sizes.max() < 2:
        raise no_split(distinct)
    # Scikit-learn refuses more folds than the largest class has rows.
    folds = max(2, min(round(1 / share), distinct, int(sizes.max())))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    candidates = [held for _, held in splitter.split(np.zeros(len(labels)), labels, groups) if len(held)]
    everything = np.arange(len(labels))

    def rank(held: Ints) -> tuple[int, int, float]:
        kept = np.setdiff1d(everything, held)
        lost = classes - len(np.unique(labels[kept]))
        return lost, -len(np.unique(labels[held])), abs(len(held) / len(labels) - share)

    best = np.sort(min(candidates, key=rank))
    if rank(best)[0]:
        raise no_split(distinct)
    return np.setdiff1d(everything, best), best.astype(np.int64)


def no_split(distinct: int) -> DeepSightError:
    """The error for groups of which none can be held out."""
    return DeepSightError(
        f"Expected a split of {distinct} groups that leaves images of every class to learn from, found none: "
        "all images of some class are in one group. Add groups, or leave the column of groups out."
    )
