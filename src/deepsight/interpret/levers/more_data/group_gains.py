"""The gain of each group of images from more training images, small groups shrunk towards the mean."""

from collections.abc import Sequence

import numpy as np

from deepsight.core.array_types import Floats, Ints, Reals
from deepsight.interpret.levers.more_data.data_amount import growth_factor
from deepsight.interpret.levers.outcome import ExaminedImages


def gains_of_groups(
    examined: ExaminedImages, parts: Sequence[Reals], group: Ints, count: int, *,
    share: float, times: float, whole: Reals | None,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """The loss with a part of the rows, the gain from more rows, and the weight of each group: (count,) each.

    Args:
        examined: the images.
        parts: logits (m, k) of each training on a part of the rows.
        group: int64 (m,), of each image.
        count: groups.
        share: of the rows in each part.
        times: as many rows as are asked about.
        whole: logits (m, k) of the same training on all rows; None takes what the model itself says.
    """
    kept = examined.own_right if whole is None else examined.right(whole)
    drop = kept - examined.right(np.stack(parts)).mean(axis=0)
    weight = np.bincount(group, weights=examined.weights, minlength=count).astype(np.float64)
    mean, error = group_means(drop, examined.weights, group, count)
    return mean, growth_factor(share, times) * shrunk(mean, error, weight), weight


def group_means(values: Floats, weights: Floats, group: Ints, count: int) -> tuple[Floats, Floats]:
    """Weighted mean of the values in each group and its standard error, both (count,)."""
    mean, error = np.zeros(count), np.full(count, np.inf)
    for g in range(count):
        own = group == g
        if own.any():
            weight = weights[own]
            mean[g] = weight @ values[own] / weight.sum()
            error[g] = np.sqrt(weight**2 @ (values[own] - mean[g]) ** 2) / weight.sum()
    return mean, error


def shrunk(mean: Floats, error: Floats, weight: Floats) -> Floats:
    """Means shrunk towards that of all, the more the larger their error (James & Stein 1961).

    Args:
        mean, error: (count,), the error infinite where a group has no image.
        weight: (count,), of each group.
    """
    known = np.isfinite(error)
    if known.sum() < 3:
        return mean
    whole = float(weight[known] @ mean[known] / weight[known].sum())
    between = max(0.0, float(mean[known].var(ddof=1) - (error[known] ** 2).mean()))
    trust = np.where(known, between / (between + np.where(known, error, 1.0) ** 2 + 1e-12), 0.0)
    return np.asarray(whole + trust * (mean - whole))
