"""A model that is known to use a patch passes the checks of its maps; one without learning is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from conv_nets import SmallNet
from deepsight.core.predictions import Predictions
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.stage_maps import StageMaps
from deepsight.interpret.faithfulness.checks import refusal_sentence
from deepsight.interpret.faithfulness.model_randomisation import mean_correlations
from deepsight.interpret.faithfulness.runner import check_faithfulness
from deepsight.interpret.inputs import ExaminationInputs
from open_nets import OpenNet, without_learning

SubjectOf = Callable[[OpenNet], ExaminationInputs]
CHECKS = [
    "right answers: chance", "grid pointing: chance", "grid pointing: random weights",
    "deletion: random order", "insertion: random order", "randomised down to head",
    "randomised down to stage",
]  # fmt: skip


def test_a_model_that_uses_the_patch_passes(uses_corner: SmallNet, inputs_of: SubjectOf) -> None:
    model = OpenNet(uses_corner)
    found = check_faithfulness(inputs_of(model), StageMaps.of(model), model.logits, 60)
    made = found.evidence["faithfulness"]
    decided = made.frame.filter(pl.col("passed").is_not_null())
    assert decided["check"].to_list() == CHECKS
    assert decided["passed"].all()
    assert found.refusals == ()
    assert refusal_sentence(made.frame, family="x") is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_model_is_refused(uses_corner: SmallNet, inputs_of: SubjectOf, seed: int) -> None:
    model = OpenNet(without_learning(uses_corner, seed=seed))
    found = check_faithfulness(inputs_of(model), StageMaps.of(model), model.logits, 60)
    made = found.evidence["faithfulness"]
    assert made.caption.startswith("The maps (closed form at stage) are refused")
    assert made.caption == refusal_sentence(made.frame, family="closed form at stage")


def test_two_classes_make_no_mosaic_and_the_other_checks_go_on(
    uses_corner: SmallNet, inputs_of: SubjectOf
) -> None:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    rows = np.flatnonzero(inputs.test.labels < 2)
    p = inputs.predictions
    two = replace(
        inputs,
        test=inputs.test.select(rows),
        predictions=Predictions(p.ids[rows], p.labels[rows], p.logits[rows], p.features[rows]),
    )
    found = check_faithfulness(two, StageMaps.of(model), model.logits, 60)
    assert [refusal.check for refusal in found.refusals] == ["grid pointing"]
    assert "4 classes" in found.refusals[0].reason
    assert found.evidence["faithfulness"].frame["check"][1] == "deletion: random order"


def test_random_weights_change_the_maps_from_the_head_and_from_deeper(corner, uses_corner: SmallNet) -> None:
    model, layer = OpenNet(uses_corner), Layer("stem", 16, None)
    images, labels = corner.pixels(slice(0, 12)), corner.labels[:12]
    stem = StageMaps(model, layer)
    own = stem.maps(images, labels[:, None])[:, 0]
    for depth in ("head", "stage"):
        random = stem.randomised_maps(images, labels[:, None], depth=depth, seeds=range(10))[:, :, 0]
        assert random.shape == (10, 12, 16, 16)
        assert np.abs(mean_correlations(own, random)).max() < 0.9
    again = stem.randomised_maps(images, labels[:, None], depth="stage", seeds=range(10))[:, :, 0]
    assert np.array_equal(again, random)
