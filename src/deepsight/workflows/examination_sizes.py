"""How large the samples of the examination are: what checks on images and masks may cost, and do cost."""

import time

import numpy as np

from deepsight.config import StudyPlan
from deepsight.core.dataset import Dataset
from deepsight.interpret.background import grabcut
from deepsight.interpret.background.sample_sizes import LADDER, PAIRS, affordable_objects, swap_seconds
from deepsight.interpret.faithfulness.insertion_deletion import FEW_STEPS, affordable_images, predictions_for
from deepsight.interpret.inputs import SampleSizes

SAMPLED = 0.1  # share of the budget for checks of the examination that work on samples,
SAMPLED_MOST = 150.0  # but at most so many seconds: beyond that intervals shrink slowly
CONTEXT_SHARE = 0.65  # share of those seconds for the context test, whose pairs need most objects
OVERHEAD = 1.5  # times the seconds of bare passes and masks: small calls, controls, randomised maps
PREDICTIONS = 31  # of each degraded image
FEWEST_DEGRADED, FEWEST_FAITHFUL = 100, 60


def sample_sizes_of(seconds: float, images_a_second: float, mask_seconds: float) -> SampleSizes:
    """Sample sizes that these seconds pay for: context gets its share, two other checks halve the rest."""
    bare = seconds / OVERHEAD
    rest = bare * (1 - CONTEXT_SHARE) / 2 * images_a_second
    degraded = int(np.clip(rest / PREDICTIONS, FEWEST_DEGRADED, 2000))
    faithful = int(np.clip(affordable_images(rest), FEWEST_FAITHFUL, 1000))
    objects = affordable_objects(
        CONTEXT_SHARE * bare, mask_seconds=mask_seconds, image_seconds=1 / images_a_second
    )
    return SampleSizes(degraded - degraded % 50, objects, faithful - faithful % 5)


def planned_sizes(sizes: SampleSizes) -> dict[str, int]:
    """The sizes that a plan stores: the others matter where the method of the maps is chosen."""
    names = ("degradation_images", "context_objects", "faithfulness_images")
    return {name: getattr(sizes, name) for name in names}


def sample_sizes_of_plan(plan: StudyPlan) -> SampleSizes:
    """The sample sizes of a stored plan."""
    return SampleSizes(plan.degradation_images, plan.context_objects, plan.faithfulness_images)


def least_sampled_seconds(images_a_second: float, mask_seconds: float) -> float:
    """Seconds that the smallest samples take."""
    objects = swap_seconds(
        LADDER[0], mask_seconds=mask_seconds, image_seconds=1 / images_a_second, pairs=PAIRS
    )
    passes = PREDICTIONS * FEWEST_DEGRADED + predictions_for(FEW_STEPS) * FEWEST_FAITHFUL
    return OVERHEAD * (objects + passes / images_a_second)


def seconds_of_a_mask(test: Dataset, n: int = 16) -> float:
    """Seconds that it takes to cut the object out of one image, measured on the first n."""
    pixels = test.pixels(np.arange(min(n, len(test))))
    began = time.perf_counter()
    grabcut.segment(pixels)
    return (time.perf_counter() - began) / len(pixels)
