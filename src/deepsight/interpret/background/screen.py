"""The cheap screen: what the object's cells alone say, and how well that foretells the swap test."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.background.clustered_errors import Estimate
from deepsight.interpret.background.effects import ALL, Finding
from deepsight.interpret.background.swap_design import Design

SCREEN = "screen"


def doubt(logits: NDArray[np.floating], labels: Ints) -> Floats:
    """The largest other logit minus that of the label, (n,); above 0 where the answer is wrong."""
    own = logits[np.arange(len(labels)), labels]
    others = logits.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return np.asarray(others.max(axis=1) - own, dtype=np.float64)


def lost_objects(right: NDArray[np.bool_], chosen: Design, labels: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """The objects, and whether each is misclassified on most backgrounds of other classes."""
    away = labels[chosen.subject] != labels[chosen.donor]
    objects, place, counts = np.unique(chosen.subject[away], return_inverse=True, return_counts=True)
    return objects, np.bincount(place, weights=right[away]) / counts < 0.5


def auroc(score: Floats, positive: NDArray[np.bool_]) -> Estimate:
    """The chance that a positive scores above a negative, minus 0.5; error after Hanley and McNeil (1982)."""
    m, n = int(positive.sum()), int((~positive).sum())
    area = (rankdata(score)[positive].sum() - m * (m + 1) / 2) / (m * n)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)
    return Estimate(float(area) - 0.5, max(float(np.sqrt(variance / (m * n))), 1 / (m + n)), m + n - 1)


def screen(
    alone: NDArray[np.floating],
    whole: NDArray[np.floating],
    right: NDArray[np.bool_],
    chosen: Design,
    labels: Ints,
) -> list[Finding]:
    """How well the logits without background evidence tell which objects the swaps will lose.

    Args:
        alone: (n, k), logits of the object's cells alone (`attribution.without_background`).
        whole: (n, k), the model's logits on the untouched images.
        right: bool (c,), whether each composite is classified as its object.
        chosen: what each composite shows.
        labels: int64 (n,).

    Returns:
        One finding (AUROC minus 0.5), whose note gives the AUROC of plain confidence to compare it with; none
        where the swaps lost no object or all.
    """
    objects, lost = lost_objects(right, chosen, labels)
    if lost.all() or not lost.any():
        return []
    found = auroc(doubt(alone[objects], labels[objects]), lost)
    plain = auroc(doubt(whole[objects], labels[objects]), lost).value + 0.5
    note = f"AUROC for the objects lost in swaps minus 0.5; plain confidence has an AUROC of {plain:.3f}"
    return [Finding(SCREEN, ALL, found, len(objects), note)]
