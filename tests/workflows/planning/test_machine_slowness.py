"""The speed of the machine is measured on made pictures, so it does not depend on the user's."""

import itertools

import numpy as np
import pytest

from deepsight.interpret.background import grabcut
from deepsight.workflows.planning import examination_sizes, machine_slowness


def test_the_made_pictures_are_always_the_same_and_hold_objects() -> None:
    pictures = machine_slowness.made_pictures(16)
    np.testing.assert_array_equal(pictures, machine_slowness.made_pictures(16))
    assert pictures.shape == (16, 32, 32, 3)
    masks = grabcut.segment_objects(pictures)
    assert masks.accepted.mean() > 0.8
    area = masks.inside[masks.accepted].mean(axis=(1, 2))
    assert (area > 0.1).all()
    assert (area < 0.5).all()  # discs of a radius of 0.2 to 0.35 cover 0.13 to 0.38 of the picture


@pytest.mark.parametrize(("times", "said"), [(2.0, 2.0), (100.0, 3.0), (0.01, 0.5)])
def test_slowness_is_the_ratio_of_times_within_limits(
    monkeypatch: pytest.MonkeyPatch, times: float, said: float
) -> None:
    clock = itertools.count(step=16 * times * machine_slowness.MADE_SECONDS)
    monkeypatch.setattr(examination_sizes.time, "perf_counter", lambda: next(clock))
    assert machine_slowness.measured_slowness().machine == pytest.approx(said)


@pytest.mark.parametrize(("processor", "said"), [(2.0, 1.0), (1.0, 2.0), (0.1, 3.0), (4.0, 1.0)])
def test_contention_is_the_time_of_the_threads_over_what_they_got(
    monkeypatch: pytest.MonkeyPatch, processor: float, said: float
) -> None:
    clock, used = itertools.count(step=1.0), itertools.count(step=processor)
    monkeypatch.setattr(machine_slowness.cv2, "getNumThreads", lambda: 2)
    monkeypatch.setattr(examination_sizes.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(machine_slowness.time, "process_time", lambda: next(used))
    assert machine_slowness.measured_slowness().contention == pytest.approx(said)
