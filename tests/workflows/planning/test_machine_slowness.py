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
    assert machine_slowness.machine_slowness() == pytest.approx(said)
