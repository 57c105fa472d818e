"""Energy-based pointing for each class: the evidence table `attribution_classes`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import t

from deepsight.core.array_types import Ints
from deepsight.core.evidence import Table
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.energy_pointing import (
    correct_for_mask_errors,
    energy_pointing,
    peak_inside,
)
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.mask_quality import MaskQuality

ALL = "all"  # in the column `class`: images of every class together
FEWEST = 30  # images; with fewer, intervals of so skewed a share cover less than 95 %
UNITS = {
    "class": f"class name; '{ALL}' is every class together",
    "n": "images with a usable mask and some positive evidence",
    "object_share": "share of the positive evidence for the predicted class that is on the object, mean",
    "ci_low": "low end at 95 % (Student's t over images)",
    "ci_high": "high end at 95 % (Student's t over images)",
    "corrected_share": "the mean share on the true object, given the masks' measured errors, 0 to 1",
    "object_area": "share of the image that the object covers, mean, 0 to 1: what a uniform map would score",
    "peak_inside": "share of images whose strongest cell is on the object, 0 to 1",
}


def energy_by_class_table(
    maps: NDArray[np.floating], masks: Masks, labels: Ints, classes: Sequence[str], *, quality: MaskQuality,
    layer: Layer,
) -> Table:  # fmt: skip
    """Mean share of evidence on the object, of all images and then of each class.

    Args:
        maps: (n, h, w), signed, for the predicted class.
        masks: of the same images; images with a rejected mask are left out.
        labels: int64 (n,).
        classes: k names.
        quality: the masks' measured errors.
        layer: of the maps.
    """
    cover = masks.cover(*maps.shape[1:])
    share, peak, area = energy_pointing(maps, cover), peak_inside(maps, cover), masks.area()
    usable = masks.accepted & ~np.isnan(share)
    groups = [(ALL, usable), *((name, usable & (labels == c)) for c, name in enumerate(classes))]
    rows: list[dict[str, Any]] = [
        {"class": name, **energy_of_group(share[here], quality), **area_and_peak(area[here], peak[here])}
        for name, here in groups
        if here.sum() >= 2
    ]
    schema = dict.fromkeys(UNITS, pl.Float64) | {"class": pl.String, "n": pl.Int64}
    method = (
        f"Maps at {layer.name} ({layer.side} × {layer.side} cells); masks by GrabCut from a "
        "border prior (Rother et al. 2004); corrected as a prevalence under an imperfect test (Rogan and "
        "Gladen 1978)."
    )
    return Table(pl.DataFrame(rows, schema=schema), UNITS, int(usable.sum()), method, energy_caption(rows))


def energy_of_group(share: NDArray[np.float64], quality: MaskQuality) -> dict[str, float]:
    """Mean, interval and corrected mean of the shares of a group of images."""
    n, mean = len(share), float(share.mean())
    half = float(t.ppf(0.975, n - 1) * share.std(ddof=1) / n**0.5)
    corrected = float(correct_for_mask_errors(np.array([mean]), quality.sensitivity, quality.specificity)[0])
    return {
        "n": n,
        "object_share": mean,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "corrected_share": corrected,
    }


def area_and_peak(area: NDArray[np.float64], peak: NDArray[np.bool_]) -> dict[str, float]:
    """Mean area of the objects, and how often the strongest cell is on them: the context of a share."""
    return {"object_area": float(area.mean()), "peak_inside": float(peak.mean())}


def energy_caption(rows: Sequence[dict[str, Any]]) -> str:
    """The overall share beside the area, with the caution that it needs."""
    if not rows:
        return "No two images had a usable mask."
    whole = rows[0]
    return (
        f"{whole['object_share']:.0%} of the evidence lies on objects that cover {whole['object_area']:.0%} "
        "of their images. This only ranks images; the swap test decides." + few_images_note(rows)
    )


def few_images_note(rows: Sequence[dict[str, Any]]) -> str:
    """A sentence that names the rows with too few images for their intervals; empty where there are none."""
    few = [f"{row['class']} ({row['n']})" for row in rows if row["n"] < FEWEST]
    return f" Intervals of fewer than {FEWEST} images are too narrow: {', '.join(few)}." if few else ""
