"""How many images each check of a foreign model takes, so that the examination keeps its minutes.

Unlike in a study, whose network is small, one forward pass may take a second. What its share of the time does
not pay for is left out and said, never made all the same.
"""

from dataclasses import dataclass

from deepsight.interpret.background.sample_sizes import LADDER, swap_seconds
from deepsight.interpret.faithfulness.checks import FEWEST
from deepsight.interpret.faithfulness.insertion_deletion import affordable_images
from deepsight.interpret.inputs import SampleSizes

# Shares of the minutes. What is left pays for the tables that need no forward pass, and for the report.
AUDITED, PREDICTED, REFERENCE = 0.1, 0.12, 0.14
ROBUSTNESS, CHOOSING, FAITHFULNESS, MAPPING, BACKGROUND = 0.07, 0.07, 0.12, 0.05, 0.12
LEVERS = 0.14  # half of it for features of training images
CORRUPTIONS = 31  # forward passes for each image of the robustness check
FEWEST_ROBUST, MOST_ROBUST = 20, 2000
FEWEST_CHOOSING, MOST_CHOOSING = 6, 24
MOST_FAITHFUL, MOST_MAPPED = 1000, 150
# Forward passes that one map costs: gradients of a network, or occlusion and random masks from outside.
INSIDE, OUTSIDE = 3, 128
CANDIDATES_INSIDE, CANDIDATES_OUTSIDE = 6, 2
CURVES = 58  # forward passes for each image of insertion and deletion
SMALL_CHECKS = 44  # forward passes for each candidate and image besides its maps
MOSAIC_SHARE = 1.5  # what mosaics and random weights add to the passes of insertion and deletion


@dataclass(frozen=True)
class Pace:
    """What was measured before the samples were sized.

    Attributes:
        image: seconds of one forward pass of one image.
        mask: seconds in which one object is cut out.
        inside: whether maps come from gradients.
    """

    image: float
    mask: float
    inside: bool


def affordable_sizes(seconds: float, pace: Pace, n: int) -> SampleSizes:
    """Sample sizes for n test images, by the seconds of the whole examination; 0 for what is not paid for."""
    passes = seconds / pace.image
    one_map, candidates = (INSIDE, CANDIDATES_INSIDE) if pace.inside else (OUTSIDE, CANDIDATES_OUTSIDE)
    robust = within(ROBUSTNESS * passes / CORRUPTIONS, FEWEST_ROBUST, min(MOST_ROBUST, n))
    choosing = within(
        CHOOSING * passes / (candidates * (one_map + SMALL_CHECKS)), FEWEST_CHOOSING, min(MOST_CHOOSING, n)
    )
    of_maps = FAITHFULNESS * passes / MOSAIC_SHARE
    faithful = affordable_images(of_maps * CURVES / (CURVES + one_map))
    mapped = within(MAPPING * passes / (2 * one_map), 1, MOST_MAPPED)
    return SampleSizes(
        degradation_images=robust,
        context_objects=affordable_swap(BACKGROUND * seconds, pace),
        faithfulness_images=within(faithful, min(FEWEST, n), min(MOST_FAITHFUL, n)),
        choosing_images=choosing,
        mapped_errors=mapped,
    )


def within(wanted: float, least: int, most: int) -> int:
    """A whole number up to `most`, or 0 where it would be below `least`."""
    count = int(min(wanted, most))
    return count if count >= min(least, most) else 0


def affordable_swap(seconds: float, pace: Pace) -> int:
    """The largest number of objects of the background test that these seconds pay for, or 0."""

    def cost(objects: int) -> float:
        return swap_seconds(objects, mask_seconds=pace.mask, image_seconds=pace.image, pairs=0)

    return max([step for step in LADDER if cost(step) <= seconds], default=0)
