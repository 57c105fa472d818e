"""The method of the maps is chosen on images that the full checks do not use."""

from collections.abc import Callable

import numpy as np
import pytest

from conv_nets import SmallNet
from deepsight.core.array_types import Floats32, Ints, Pixels
from deepsight.interpret.attribution.black_box import Occlusion
from deepsight.interpret.faithfulness.choice import Choice, choose_attributor
from deepsight.interpret.faithfulness.runner import check_faithfulness
from deepsight.interpret.inputs import ExaminationInputs
from open_nets import OpenNet


class Asked:
    """A network that can only be asked."""

    def __init__(self, net: SmallNet) -> None:
        self.net = net

    def logits(self, pixels: Pixels) -> Floats32:
        return self.net.logits(pixels)


class Seen(Occlusion):
    """Occlusion that remembers the images that it explained."""

    def maps(self, images: Pixels, classes: Ints) -> Floats32:
        explained.update(image.tobytes() for image in images)
        return super().maps(images, classes)


explained: set[bytes] = set()


@pytest.fixture(scope="module")
def choice(uses_corner: SmallNet, inputs_of: Callable[[OpenNet], ExaminationInputs]) -> Choice:
    inputs = inputs_of(OpenNet(uses_corner))
    return choose_attributor(inputs, Asked(uses_corner), 6)


def test_the_best_of_the_candidates_is_chosen(choice: Choice) -> None:
    frame = choice.findings.evidence["attribution_methods"].frame
    assert frame["method"].to_list() == ["occlusion", "RISE"]
    assert frame.filter("chosen")["score"][0] == frame["score"].max()
    assert choice.attributor is not None
    assert choice.attributor.method == frame.filter("chosen")["method"][0]


def test_the_checks_use_other_images(
    choice: Choice, uses_corner: SmallNet, inputs_of: Callable[[OpenNet], ExaminationInputs]
) -> None:
    inputs = inputs_of(OpenNet(uses_corner))
    explained.clear()
    check_faithfulness(inputs, Seen(Asked(uses_corner)), uses_corner.logits, 30, apart=choice.rows)
    assert len(choice.rows) == 24
    assert len(explained) > 30
    assert not explained & {image.tobytes() for image in inputs.test.pixels(choice.rows)}


def test_without_time_to_compare_the_first_method_is_taken_and_said(
    uses_corner: SmallNet, inputs_of: Callable[[OpenNet], ExaminationInputs]
) -> None:
    found = choose_attributor(inputs_of(OpenNet(uses_corner)), Asked(uses_corner), 0)
    assert found.attributor is not None
    assert found.attributor.method == "occlusion"
    (refusal,) = found.findings.refusals
    assert refusal.check == "attribution_methods"
    assert "no time to compare 2 methods, so the maps are by occlusion" in refusal.reason


def test_chosen_rows_are_few_and_ascending(choice: Choice) -> None:
    assert np.all(np.diff(choice.rows) > 0)
