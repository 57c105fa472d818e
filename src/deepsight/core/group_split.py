"""A split that keeps images that belong together, such as those of one patient, on one side."""

import numpy as np

from deepsight.core.array_types import Ints
from deepsight.core.errors import DeepSightError


def grouped_rows(labels: Ints, groups: Ints, *, share: float, seed: int) -> tuple[Ints, Ints]:
    """Rows kept and rows held out, both ascending: no group on both sides, classes as equal as groups allow.

    Scikit-learn's `StratifiedGroupKFold` makes the candidates. Of its folds the one is held out that leaves
    every class among the kept rows, then has most classes itself, then comes nearest to the share.

    Args:
        labels: int64 (n,).
        groups: int64 (n,), which rows belong together.
        share: of the rows that is to be held out, in (0, 1).
        seed: of the folds.

    Raises:
        DeepSightError: there are fewer than two groups, or some class stands in one group alone and that
            group would have to be held out.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    distinct, classes = len(np.unique(groups)), len(np.unique(labels))
    if distinct < 2:
        raise DeepSightError(
            f"Expected at least two groups to split by, received {distinct}: nothing could be held out. Name "
            "another column, or leave the groups out."
        )
    folds = max(2, min(round(1 / share), distinct))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    candidates = [held for _, held in splitter.split(np.zeros(len(labels)), labels, groups) if len(held)]
    everything = np.arange(len(labels))

    def rank(held: Ints) -> tuple[int, int, float]:
        kept = np.setdiff1d(everything, held)
        lost = classes - len(np.unique(labels[kept]))
        return lost, -len(np.unique(labels[held])), abs(len(held) / len(labels) - share)

    best = np.sort(min(candidates, key=rank))
    if rank(best)[0]:
        raise DeepSightError(
            f"Expected a split of {distinct} groups that leaves every class something to learn from, found "
            "none: some class stands in one group alone. Add groups, or leave the column of groups out."
        )
    return np.setdiff1d(everything, best), best.astype(np.int64)
