"""The budget buys what it says."""

import pytest

from deepsight.interpret.background.sample_sizes import LADDER, affordable_objects, images_for, pair_objects


def test_three_minutes_buy_a_thousand_objects_at_reference_speed() -> None:
    assert affordable_objects(180, mask_seconds=0.042, image_seconds=1 / 900) == 1000


@pytest.mark.parametrize("seconds", [0, 5, 30, 60])
def test_cost_stays_within_the_budget_or_is_the_least(seconds: float) -> None:
    mask, image, donors = 0.04, 1 / 300, 4
    objects = affordable_objects(seconds, mask_seconds=mask, image_seconds=image, donors=donors)
    paired = 6 * pair_objects(objects)
    masks = 40 + images_for(objects) + max(images_for(paired) - 0.6 * images_for(objects), 0)
    errors = min(objects, 400)
    composites = objects * (2 * donors + 11) + paired * 6 + errors * 15
    cost = (masks + errors) * mask + (images_for(objects) + composites) * image
    assert cost <= seconds * 1.01 or objects == LADDER[0]


def test_a_few_per_cent_do_not_change_the_sample() -> None:
    found = {affordable_objects(48, mask_seconds=0.04 * f, image_seconds=f / 800) for f in (0.98, 1.0, 1.02)}
    assert len(found) == 1
