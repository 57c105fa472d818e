"""Samples of an examination fit into its minutes; what they do not pay for is 0, never made all the same."""

import pytest

from deepsight.interpret.background.sample_sizes import swap_seconds
from deepsight.interpret.inputs import SampleSizes
from deepsight.workflows.examine.budget import (
    AUDITED,
    BACKGROUND,
    CHOOSING,
    CORRUPTIONS,
    CURVES,
    FAITHFULNESS,
    LEVERS,
    MAPPING,
    PREDICTED,
    REFERENCE,
    ROBUSTNESS,
    Pace,
    affordable_samples,
    sizes_by_share,
)

PACES = [Pace(image, mask, inside) for image in (1e-4, 0.003, 0.05, 1.0) for mask in (0.03, 0.3)
         for inside in (True, False)]  # fmt: skip


def planned_seconds(sizes: SampleSizes, pace: Pace) -> float:
    """Seconds of the forward passes and masks, counted without the shares."""
    one_map = 3 if pace.inside else 128
    passes = CORRUPTIONS * sizes.degradation_images
    passes += sizes.faithfulness_images * (CURVES + one_map)
    passes += sizes.choosing_images * (6 if pace.inside else 2) * (one_map + 44)
    passes += sizes.mapped_errors * 2 * one_map
    swap = swap_seconds(sizes.context_objects, mask_seconds=pace.mask, image_seconds=pace.image, pairs=0)
    return passes * pace.image + (swap if sizes.context_objects else 0)


@pytest.mark.parametrize("minutes", [0.05, 0.5, 5, 60])
@pytest.mark.parametrize("pace", PACES)
def test_the_minutes_are_kept(minutes: float, pace: Pace) -> None:
    sizes = affordable_samples(60 * minutes, pace, 10_000)
    sampled = ROBUSTNESS + CHOOSING + FAITHFULNESS + MAPPING + BACKGROUND
    assert planned_seconds(sizes, pace) <= 60 * minutes * sampled
    assert sampled + AUDITED + PREDICTED + REFERENCE + LEVERS < 1


def test_a_slow_model_leaves_checks_out() -> None:
    assert affordable_samples(6, Pace(1.0, 0.1, True), 1000) == SampleSizes(0, 0, 0, 0, 0)


def test_a_fast_model_fills_the_samples() -> None:
    sizes = affordable_samples(600, Pace(1e-4, 0.02, True), 10_000)
    assert (sizes.degradation_images, sizes.faithfulness_images) == (2000, 1000)
    assert (sizes.choosing_images, sizes.mapped_errors) == (24, 150)
    few = affordable_samples(600, Pace(1e-4, 0.02, True), 25)
    assert (few.degradation_images, few.faithfulness_images, few.choosing_images) == (25, 25, 24)


@pytest.mark.parametrize(
    ("seconds", "image", "rescued"),
    [(300, 0.1, "degradation_images"), (600, 0.1, "context_objects"), (600, 0.03, "faithfulness_images")],
)
def test_what_checks_leave_goes_to_one_that_it_is_enough_for(
    seconds: float, image: float, rescued: str
) -> None:
    pace = Pace(image, 0.1, True)
    assert getattr(sizes_by_share(seconds, pace, 40, {}), rescued) == 0
    found = affordable_samples(seconds, pace, 40)
    assert getattr(found, rescued) > 0
    sampled = ROBUSTNESS + CHOOSING + FAITHFULNESS + MAPPING + BACKGROUND
    assert planned_seconds(found, pace) <= seconds * sampled
