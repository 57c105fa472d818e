"""The screening test: how well the evidence in the object's cells predicts the outcome of the swaps."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from deepsight.core.array_types import Floats, Ints
from deepsight.interpret.background.clustered_errors import Estimate
from deepsight.interpret.background.effects import ALL, SwapEffect
from deepsight.interpret.background.swap_design import SwapDesign

SCREEN = "screen"


def margin_against(logits: NDArray[np.floating], labels: Ints) -> Floats:
    """The largest other logit minus that of the label, (n,); above 0 where the answer is wrong."""
    own = logits[np.arange(len(labels)), labels]
    others = logits.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return np.asarray(others.max(axis=1) - own, dtype=np.float64)


def objects_lost_in_swaps(
    right: NDArray[np.bool_], chosen: SwapDesign, labels: Ints
) -> tuple[Ints, NDArray[np.bool_]]:
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


def screening_test(
    alone: NDArray[np.floating],
    whole: NDArray[np.floating],
    right: NDArray[np.bool_],
    chosen: SwapDesign,
    labels: Ints,
) -> list[SwapEffect]:
    """How well the logits without background evidence predict which objects are lost in the swaps.

    Args:
        alone: (n, k), logits of the object's cells alone (`attribution.without_background`).
        whole: (n, k), the model's logits on the untouched images.
        right: bool (c,), whether each composite is classified as its object.
        chosen: the composites.
        labels: int64 (n,).

    Returns:
        One effect (AUROC minus 0.5), whose note states the AUROC of plain confidence for comparison; none
        where the swaps lost no object, or all of them.
    """
    objects, lost = objects_lost_in_swaps(right, chosen, labels)
    if lost.all() or not lost.any():
        return []
    found = auroc(margin_against(alone[objects], labels[objects]), lost)
    plain = auroc(margin_against(whole[objects], labels[objects]), lost).value + 0.5
    note = f"AUROC for the objects lost in swaps minus 0.5; plain confidence has an AUROC of {plain:.3f}"
    return [SwapEffect(SCREEN, ALL, found, len(objects), note)]
