"""How many images each check of a foreign model uses, so that the examination keeps within its minutes.

Unlike in a study, whose network is small, one forward pass may take a second. A check that does not fit into
its share of the time is skipped and named among the refusals.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deepsight.core.dataset import Dataset
from deepsight.interpret.background.sample_sizes import LADDER, swap_seconds
from deepsight.interpret.faithfulness.checks import FEWEST
from deepsight.interpret.faithfulness.insertion_deletion import affordable_images
from deepsight.interpret.inputs import SampleSizes
from deepsight.model.foreign.foreign_model import Prepare
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network
from deepsight.workflows.examine.input_trials import raw_outputs

# Shares of the minutes. The rest is for the tables that need no forward pass, and for the report.
AUDITED, PREDICTED, REFERENCE = 0.1, 0.12, 0.14
ROBUSTNESS, CHOOSING, FAITHFULNESS, MAPPING, BACKGROUND = 0.07, 0.07, 0.12, 0.05, 0.12
MAPS = CHOOSING + FAITHFULNESS + MAPPING
JUDGED = 0.6  # for a reference model, where predictions alone are examined
LEVERS = 0.14  # half of it for features of training images
CORRUPTIONS = 31  # forward passes for each image of the robustness check
FEWEST_ROBUST, MOST_ROBUST = 20, 2000
FEWEST_CHOOSING, MOST_CHOOSING = 6, 24
MOST_FAITHFUL, MOST_MAPPED = 1000, 150
# Forward passes per map: by gradients of a network, or by occlusion and random masks of a black box.
INSIDE, OUTSIDE = 3, 128
CANDIDATES_INSIDE, CANDIDATES_OUTSIDE = 6, 2
CURVES = 58  # forward passes per image of insertion and deletion
SMALL_CHECKS = 44  # forward passes per candidate method and image besides its maps
AUDIT_IMAGES, LEAST = 500, 30  # images of the preprocessing audit, at most and at least
TRIED = 20  # preprocessings that the audit tries, roughly
TIMED = 8  # images on which the model is timed before the audit
MOSAIC_SHARE = 1.5  # passes with mosaics and random weights over those of insertion and deletion alone


@dataclass(frozen=True)
class Pace:
    """Measured times, by which the samples are sized.

    Attributes:
        image: seconds of one forward pass of one image.
        mask: seconds to cut out one object.
        inside: whether maps come from gradients.
    """

    image: float
    mask: float
    inside: bool


def affordable_samples(seconds: float, pace: Pace, n: int) -> SampleSizes:
    """Sample sizes for n test images in an examination of so many seconds; 0 for checks that do not fit.

    What the checks that do not fit leave of their shares goes to one of them, if that is enough for it: to
    the maps, else to the background test, else to the robustness check.
    """
    sizes = sizes_by_share(seconds, pace, n, {})
    unspent = {
        "maps": 0.0 if sizes.faithfulness_images else MAPS - (CHOOSING if sizes.choosing_images else 0.0),
        "background": 0.0 if sizes.context_objects else BACKGROUND,
        "robustness": 0.0 if sizes.degradation_images else ROBUSTNESS,
    }
    room = sum(unspent.values())
    for check in (name for name, share in unspent.items() if 0 < share < room):
        wider = sizes_by_share(seconds, pace, n, {check: room})
        if fits(check, wider):
            return wider
    return sizes


def fits(check: str, sizes: SampleSizes) -> bool:
    """Whether a check has images; maps also need some by which their method is chosen."""
    if check == "maps":
        return min(sizes.faithfulness_images, sizes.choosing_images, sizes.mapped_errors) > 0
    return (sizes.context_objects if check == "background" else sizes.degradation_images) > 0


def sizes_by_share(seconds: float, pace: Pace, n: int, shares: Mapping[str, float]) -> SampleSizes:
    """Sample sizes by each check's own share of the seconds, or by the one that is given for it."""
    passes = seconds / pace.image
    wider = shares.get("maps", MAPS) / MAPS
    one_map, candidates = (INSIDE, CANDIDATES_INSIDE) if pace.inside else (OUTSIDE, CANDIDATES_OUTSIDE)
    robust = shares.get("robustness", ROBUSTNESS) * passes / CORRUPTIONS
    choosing = wider * CHOOSING * passes / (candidates * (one_map + SMALL_CHECKS))
    of_maps = wider * FAITHFULNESS * passes / MOSAIC_SHARE
    faithful = affordable_images(of_maps * CURVES / (CURVES + one_map))
    faithful = within(faithful, min(FEWEST, n), min(MOST_FAITHFUL, n))
    mapped = within(wider * MAPPING * passes / (2 * one_map), 1, MOST_MAPPED)
    return SampleSizes(
        degradation_images=within(robust, FEWEST_ROBUST, min(MOST_ROBUST, n)),
        context_objects=affordable_swap(shares.get("background", BACKGROUND) * seconds, pace),
        faithfulness_images=faithful,
        choosing_images=within(choosing, FEWEST_CHOOSING, min(MOST_CHOOSING, n)),
        mapped_errors=mapped if faithful else 0,  # no map is made that was not checked
    )


def within(wanted: float, least: int, most: int) -> int:
    """The number rounded down, at most `most`; 0 if it is below the smaller of `least` and `most`."""
    count = int(min(wanted, most))
    return count if count >= min(least, most) else 0


def affordable_swap(seconds: float, pace: Pace) -> int:
    """The largest number of objects in the background test that fits into these seconds, or 0."""

    def cost(objects: int) -> float:
        return swap_seconds(objects, mask_seconds=pace.mask, image_seconds=pace.image, pairs=0)

    return max([step for step in LADDER if cost(step) <= seconds], default=0)


def audit_images(network: Network, prepare: Prepare | InputFormat, data: Dataset, seconds: float) -> int:
    """The number of images in the audit: 500, or as many as fit into these seconds by a timed pass."""
    least = min(AUDIT_IMAGES, max(LEAST, 2 * data.k))
    if math.isinf(seconds):
        return AUDIT_IMAGES
    raw_outputs(network, prepare, data.select(np.arange(1)))
    few = data.select(np.arange(min(TIMED, len(data))))
    began = time.perf_counter()
    raw_outputs(network, prepare, few)
    image = (time.perf_counter() - began) / len(few)
    return int(np.clip(seconds / (TRIED * image), least, AUDIT_IMAGES))
