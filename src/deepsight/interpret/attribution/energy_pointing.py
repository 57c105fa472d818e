"""Energy-based pointing: the share of a map's evidence that lies on the object (Wang et al. 2020, Score-CAM).

It ranks images for review. The verdict on the background comes from the swap test.
"""

import numpy as np
from numpy.typing import NDArray

from deepsight.core.array_types import Floats


def energy_pointing(maps: NDArray[np.floating], cover: NDArray[np.floating]) -> Floats:
    """The share of a map's positive evidence on the object, 0 to 1 (energy-based pointing).

    Compare it with the object's area, which is the share of a map without any preference.

    Args:
        maps: (n, h, w), signed.
        cover: (n, h, w), the share of each cell that the object covers.

    Returns:
        float64 (n,), NaN where a map has no positive evidence.
    """
    positive = np.maximum(np.asarray(maps, dtype=np.float64), 0)
    total = positive.sum(axis=(1, 2))
    inside = (positive * cover).sum(axis=(1, 2))
    share: Floats = np.divide(inside, total, out=np.full(len(total), np.nan), where=total > 0)
    return share


def peak_inside(maps: NDArray[np.floating], cover: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether the cell with the most evidence is at least half covered by the object, bool (n,)."""
    peak = flatten_maps(maps).argmax(axis=1)
    return np.asarray(flatten_maps(cover)[np.arange(len(maps)), peak] >= 0.5)


def mirror_agreement(maps: NDArray[np.floating], of_mirrored: NDArray[np.floating]) -> Floats:
    """Correlation of each map with the map of its mirrored image, mirrored back; -1 to 1, float64 (n,).

    Args:
        maps: (n, h, w).
        of_mirrored: (n, h, w), made from the images flipped left to right.

    Returns:
        Pearson's correlation over the cells; NaN where a map is constant.
    """
    a = standardise_maps(maps)
    b = standardise_maps(of_mirrored[:, :, ::-1])
    return np.asarray((a * b).mean(axis=1), dtype=np.float64)


def flatten_maps(maps: NDArray[np.floating]) -> Floats:
    """Each map as one row, float64 (n, h w); n may be 0."""
    return np.asarray(maps, dtype=np.float64).reshape(len(maps), maps.shape[1] * maps.shape[2])


def standardise_maps(maps: NDArray[np.floating]) -> Floats:
    """Each map as one row with mean 0 and variance 1, (n, h w); NaN where it is constant."""
    rows = flatten_maps(maps)
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    scaled: Floats = np.divide(centred, spread, out=np.full_like(centred, np.nan), where=spread > 0)
    return scaled


def correct_for_mask_errors(observed: Floats, sensitivity: float, specificity: float) -> Floats:
    """The share on the true object, given the mask's errors: (m − (1 − t)) / (s + t − 1), clipped to 0..1.

    The correction of a prevalence for an imperfect test (Rogan and Gladen 1978).

    Args:
        observed: the share m on the mask, 0 to 1.
        sensitivity: s, the share of the object that the mask finds.
        specificity: t, the share of the background that the mask leaves out.

    Returns:
        NaN where the mask is no better than chance (s + t ≤ 1).
    """
    gain = sensitivity + specificity - 1
    if gain <= 0:
        return np.full_like(observed, np.nan)
    return np.clip((observed - (1 - specificity)) / gain, 0, 1)
