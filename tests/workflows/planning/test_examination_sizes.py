"""The samples of an examination fit into their seconds, and the smallest are paid for."""

import pytest

from deepsight.workflows.planning.examination_sizes import least_sampled_seconds, sample_sizes_of


def test_the_smallest_samples_are_those_of_no_time_at_all():
    least = sample_sizes_of(0.0, 500.0, 0.04)
    assert (least.degradation_images, least.context_objects, least.faithfulness_images) == (100, 50, 60)


@pytest.mark.parametrize("speed", [100.0, 500.0, 5000.0])
def test_seconds_for_the_smallest_buy_hardly_more(speed: float):
    least, paid = (
        sample_sizes_of(0.0, speed, 0.04),
        sample_sizes_of(least_sampled_seconds(speed, 0.04), speed, 0.04),
    )
    for name in ("degradation_images", "context_objects", "faithfulness_images"):
        assert getattr(least, name) <= getattr(paid, name)
    assert paid.context_objects <= 2 * least.context_objects


def test_a_slower_machine_needs_more_seconds():
    assert least_sampled_seconds(250.0, 0.08) == pytest.approx(2 * least_sampled_seconds(500.0, 0.04))
    beside = least_sampled_seconds(500.0, 0.04, 2.0)  # small calls take twice as long
    assert beside == pytest.approx(2.0 / 1.5 * least_sampled_seconds(500.0, 0.04))
    assert sample_sizes_of(beside, 500.0, 0.04, 2.0) == sample_sizes_of(0.0, 500.0, 0.04)


def test_more_seconds_buy_larger_samples():
    some, more = (sample_sizes_of(seconds, 500.0, 0.04) for seconds in (60.0, 240.0))
    assert more.context_objects > some.context_objects
    assert more.degradation_images > some.degradation_images
