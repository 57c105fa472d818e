"""Sample sizes of the examination: what checks on images and masks cost, and may cost."""

import time

import numpy as np

from deepsight.config import StudyPlan
from deepsight.core.array_types import Pixels
from deepsight.core.dataset import Dataset
from deepsight.interpret.background import grabcut
from deepsight.interpret.background.sample_sizes import LADDER, PAIRS, affordable_objects, swap_seconds
from deepsight.interpret.faithfulness.insertion_deletion import FEW_STEPS, affordable_images, predictions_for
from deepsight.interpret.inputs import SampleSizes
from deepsight.interpret.robustness.corruptions import PREDICTIONS

SAMPLED = 0.1  # share of the budget for checks on samples,
SAMPLED_MOST = 150.0  # but at most this many seconds: beyond that intervals shrink slowly
CONTEXT_SHARE = 0.65  # share of those seconds for the background test, whose pairs need most objects
SMALL_CALLS = 0.5  # seconds of small calls, controls and randomised maps for one of bare passes and masks
FEWEST_DEGRADED, FEWEST_FAITHFUL = 100, 60


def overhead(contention: float = 1.0) -> float:
    """Total time over that of bare passes and masks.

    Long passes run on as many threads as other processes do, and keep most of their share; small calls wait
    for each of their threads.

    Args:
        contention: how many times as long a thread takes because of other work on the processor.
    """
    return 1 + SMALL_CALLS * contention


def sample_sizes_of(
    seconds: float, images_a_second: float, mask_seconds: float, contention: float = 1.0
) -> SampleSizes:
    """Sample sizes that fit into these seconds: the background test gets its share, two checks the rest.

    Args:
        seconds: for all checks on samples.
        images_a_second: forward passes of the network per second.
        mask_seconds: to cut out one object.
        contention: as in `overhead`.
    """
    bare = seconds / overhead(contention)
    rest = bare * (1 - CONTEXT_SHARE) / 2 * images_a_second
    degraded = int(np.clip(rest / PREDICTIONS, FEWEST_DEGRADED, 2000))
    faithful = int(np.clip(affordable_images(rest), FEWEST_FAITHFUL, 1000))
    objects = affordable_objects(
        CONTEXT_SHARE * bare, mask_seconds=mask_seconds, image_seconds=1 / images_a_second
    )
    return SampleSizes(degraded - degraded % 50, objects, faithful - faithful % 5)


def planned_sizes(sizes: SampleSizes) -> dict[str, int]:
    """The sizes that a plan stores, by name; the others matter only for foreign models."""
    names = ("degradation_images", "context_objects", "faithfulness_images")
    return {name: getattr(sizes, name) for name in names}


def sample_sizes_of_plan(plan: StudyPlan) -> SampleSizes:
    """The sample sizes of a stored plan."""
    return SampleSizes(plan.degradation_images, plan.context_objects, plan.faithfulness_images)


def least_sampled_seconds(images_a_second: float, mask_seconds: float, contention: float = 1.0) -> float:
    """Seconds that the smallest samples take; arguments as in `sample_sizes_of`."""
    objects = swap_seconds(
        LADDER[0], mask_seconds=mask_seconds, image_seconds=1 / images_a_second, pairs=PAIRS
    )
    passes = PREDICTIONS * FEWEST_DEGRADED + predictions_for(FEW_STEPS) * FEWEST_FAITHFUL
    return overhead(contention) * (objects + passes / images_a_second)


def seconds_of_a_mask(test: Dataset, n: int = 16) -> float:
    """Seconds to cut the object out of one image, measured on the first n images."""
    return measured_mask_seconds(test.pixels(np.arange(min(n, len(test)))))


def measured_mask_seconds(pixels: Pixels) -> float:
    """Seconds to cut the object out of one of these images (n, h, w, 3)."""
    began = time.perf_counter()
    grabcut.segment_objects(pixels)
    return (time.perf_counter() - began) / len(pixels)
