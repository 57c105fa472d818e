"""The planned cost of each check is what the check really asks of the model, counted as it runs."""

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor, nn

from conv_nets import SmallNet
from deepsight.core.evidence import Evidence
from deepsight.interpret import model_checks
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.model.foreign.foreign_model import ForeignModel
from deepsight.model.foreign.input_format import InputFormat
from deepsight.model.foreign.network import Network, network_of_module
from deepsight.workflows.examine.check_costs import (
    OVERHEAD,
    CheckLadder,
    Scope,
    background_ladder,
    capped,
    levers_ladder,
    maps_ladder,
    robustness_ladder,
    second_looks_ladder,
)
from deepsight.workflows.examine.examination import predictions_of
from deepsight.workflows.examine.fit_model import fit_to_data
from deepsight.workflows.examine.pace import Pace
from planted_patches import discs_on_grounds

PLANTED = discs_on_grounds(100, cue="object", seed=3).data
FORMAT = InputFormat(32, 32, scale="-1..1")
ONE = Pace(image=1.0, gradient=1.0, mask=0.0, methods=1, mosaic=4)  # counts passes, not seconds
SCOPE = Scope(n=40, errors=5, sure=18, sure_classes=4, swappable=True, train=0, k=4)


class Counting(nn.Module):
    """A network that counts the images that it sees, mosaics by their area."""

    def __init__(self, net: SmallNet) -> None:
        super().__init__()
        self.net, self.seen = net, 0.0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += images.numel() / (3 * 32 * 32)
        return self.net.head(self.net.stage2(self.net.stage1(images)).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def counting() -> Counting:
    return Counting(SmallNet(4).fit(PLANTED.pixels(), PLANTED.labels))


def opened(network: Network) -> tuple[ForeignModel, ExaminationInputs]:
    """The model, and its answers with every twelfth label wrong, so that there are errors."""
    given = np.where(np.arange(len(PLANTED)) % 12 == 0, (PLANTED.labels + 1) % 4, PLANTED.labels)
    data = PLANTED.with_labels(given)
    model = fit_to_data(network, data, preprocess=FORMAT).model
    return model, ExaminationInputs(data, predictions_of(model, data))


def known_pairs(inputs: ExaminationInputs) -> Evidence:
    p = inputs.predictions
    return Evidence({"confusion_pairs": confusion_pairs_table(p.labels, p.predicted, inputs.classes)})


def first_cost(ladder: CheckLadder) -> float:
    return ladder.rungs[0].seconds / OVERHEAD


def test_robustness_and_second_looks_cost_what_is_counted(counting: Counting) -> None:
    model, inputs = opened(network_of_module(counting, "counting"))
    scope = Scope.of(inputs, features=False)
    counting.seen = 0
    model_checks.examine_robustness(inputs, model, SampleSizes(degradation_images=20))
    assert counting.seen == first_cost(robustness_ladder(ONE, scope))
    assert first_cost(second_looks_ladder(ONE, scope)) == 2 * 50


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inside", [True, False])
def test_maps_cost_what_is_counted(counting: Counting, inside: bool) -> None:
    network = network_of_module(counting, "counting")
    network = network if inside else replace(network, module=None, watch=None, parameters=None)
    pace = ONE if inside else replace(ONE, gradient=None, methods=2, mosaic=1)
    model, inputs = opened(network)
    ladder = maps_ladder(pace, Scope.of(inputs, features=False), choice=True)
    rung = ladder.rungs[1]
    sizes = replace(SampleSizes(), **rung.counts)
    counting.seen = 0
    chosen = model_checks.chosen_maps(inputs, model, sizes)
    found = model_checks.examine_maps(inputs, model, chosen, known_pairs(inputs), sizes)
    assert {"faithfulness", "attribution", "attribution_methods"} <= set(found.evidence)
    assert 0.6 < counting.seen / (rung.seconds / OVERHEAD) < 1.3


def test_the_background_test_costs_what_is_counted(counting: Counting) -> None:
    model, inputs = opened(network_of_module(counting, "counting"))
    counting.seen = 0
    found = model_checks.background_findings(inputs, model, None, SampleSizes(context_objects=50))
    assert "context" in found.evidence
    planned = first_cost(background_ladder(ONE, Scope.of(inputs, features=False)))
    assert 0.6 < counting.seen / planned < 1.2


def test_no_step_asks_for_more_than_there_is() -> None:
    assert [r.counts["degradation_images"] for r in robustness_ladder(ONE, SCOPE).rungs] == [20, 30, 40]
    assert [r.counts["context_objects"] for r in background_ladder(ONE, SCOPE).rungs] == [50]
    maps = [tuple(r.counts.values()) for r in maps_ladder(ONE, SCOPE, choice=True).rungs]
    assert maps == [(0, 14, 5), (4, 14, 5)]
    assert list(capped((20, 30), 100)) == [20, 30]
    assert list(capped((20, 30), 10)) == [10]


def test_costs_rise_with_the_samples() -> None:
    scope = Scope(n=10_000, errors=2000, sure=4000, sure_classes=4, swappable=True, train=2000, k=4)
    for pace in (ONE, replace(ONE, gradient=3.0, methods=6), replace(ONE, gradient=None, methods=2)):
        for ladder in (
            robustness_ladder(pace, scope), second_looks_ladder(pace, scope), background_ladder(pace, scope),
            maps_ladder(pace, scope, choice=True), levers_ladder(pace, scope),
        ):  # fmt: skip
            costs = [rung.seconds for rung in ladder.rungs]
            assert costs == sorted(costs), ladder.check


def test_what_will_refuse_itself_costs_nothing() -> None:
    one_class = replace(SCOPE, swappable=False, sure=0, sure_classes=0, errors=0)
    for ladder in (
        background_ladder(ONE, one_class), maps_ladder(ONE, one_class, choice=True),
        levers_ladder(ONE, one_class),
    ):  # fmt: skip
        assert [rung.seconds for rung in ladder.rungs] == [0.0]


def test_few_classes_need_no_mosaics() -> None:
    of_four = maps_ladder(ONE, SCOPE, choice=True).rungs[-1].seconds
    of_two = maps_ladder(ONE, replace(SCOPE, sure_classes=2), choice=True).rungs[-1].seconds
    assert of_two < of_four / 1.2
