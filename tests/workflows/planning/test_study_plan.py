"""A plan chooses from the resolutions that were asked for, that the backbone takes, or that suit the time."""

import pytest

from deepsight.core.errors import UsageError
from deepsight.model.pretrained import Pretrained
from deepsight.model.traced_backbone import create_backbone
from deepsight.workflows.planning.study_plan import planned_sides

HALF = (0.5, 0.5, 0.5)


def pretrained(name: str) -> Pretrained:
    return Pretrained(create_backbone(name), name, "random weights", "", (), HALF, HALF)


def test_a_backbone_of_one_size_is_planned_at_that_size():
    assert planned_sides(pretrained("test_vit"), None, 300) == (160,)
    assert planned_sides(pretrained("test_vit"), 160, 300) == (160,)
    with pytest.raises(UsageError, match="--resolution 160, the only one that test_vit takes, received 96"):
        planned_sides(pretrained("test_vit"), 96, 300)


def test_any_other_is_planned_at_what_was_asked_or_suits_the_minutes():
    assert planned_sides(pretrained("regnety_002"), 96, 300) == (96,)
    assert planned_sides(pretrained("regnety_002"), None, 300) == (64, 96, 128)
