"""What only an opened model gives, in one piece: tables, pictures, and what was not possible."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from conv_nets import SmallNet
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.interpret import model_checks
from deepsight.interpret.attribution.exact_cam import exact_maps
from deepsight.interpret.attribution.stage_maps import StageMaps
from deepsight.interpret.background import grabcut
from deepsight.interpret.background.grabcut import Masks
from deepsight.interpret.background.runner import (
    examine_background_errors,
    logits_of_objects,
    sample_of_errors,
)
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.interpret.faithfulness.choice import Choice
from deepsight.interpret.findings import NO_TIME, Findings
from deepsight.interpret.inputs import ExaminationInputs, SampleSizes
from deepsight.interpret.model_checks import look_inside
from open_nets import OpenNet

SubjectOf = Callable[[OpenNet], ExaminationInputs]
SMALL = SampleSizes(degradation_images=10, context_objects=30, faithfulness_images=30)


@pytest.fixture(scope="module")
def looked(uses_corner: SmallNet, inputs_of: SubjectOf) -> Findings:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    p = inputs.predictions
    known = Evidence({"confusion_pairs": confusion_pairs_table(p.labels, p.predicted, inputs.classes)})
    return look_inside(inputs, model, known, lambda _: SMALL)


def test_all_tables_of_an_opened_model(looked: Findings) -> None:
    tables, pictures = looked.evidence, looked.pictures
    assert set(tables) == {
        "degradation", "degradation_summary", "attribution", "attribution_maps", "faithfulness", "context",
        "background_errors", "attribution_classes", "masks", "not_examined",
    }  # fmt: skip
    assert set(pictures) == set(tables["attribution"].frame["file"])
    assert tables["not_examined"].frame.height == 0


def test_the_answer_without_background_is_in_the_tables(looked: Findings) -> None:
    tables = looked.evidence
    errors = tables["background_errors"].frame
    assert errors.height > 0
    assert errors["without_background"].null_count() == 0
    whole = tables["attribution_classes"].frame.row(0, named=True)
    assert whole["class"] == "all"
    assert 0 <= whole["object_share"] <= 1


def test_the_errors_that_are_drawn_are_judged_and_no_others(
    uses_corner: SmallNet, inputs_of: SubjectOf
) -> None:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    wrong = inputs.predictions.labels != inputs.predictions.predicted
    sample = np.arange(12)
    known = grabcut.KnownMasks(sample, grabcut.segment_objects(inputs.test.pixels(sample)))
    errors = sample_of_errors(inputs, 5)
    assert len(errors) == 5
    assert wrong[errors].all()
    every = grabcut.segment_objects(inputs.test.pixels(np.union1d(sample, errors))).accepted
    judged = (
        examine_background_errors(inputs, model, StageMaps.of(model), errors, known).frame["index"].to_list()
    )
    drawn = np.isin(np.union1d(sample, errors), errors)
    assert judged == [int(i) for i in inputs.test.ids[np.sort(errors)[every[drawn]]]]
    assert set(judged) - set(inputs.test.ids[sample].tolist())


def test_the_answer_without_background_by_hand(uses_corner: SmallNet) -> None:
    model = OpenNet(uses_corner)
    images = np.random.default_rng(0).integers(0, 256, size=(4, 32, 32, 3), dtype=np.uint8)
    inside_ = np.zeros((4, 128, 128), dtype=bool)
    inside_[:, :64, :48] = True  # four by three of the eight by eight cells
    alone = logits_of_objects(exact_maps(model, images), Masks(inside_, np.ones(4, dtype=bool)))
    activations = model.stage_maps("stage", images).numpy()[:, :, :4, :3]
    np.testing.assert_allclose(
        alone, activations.sum(axis=(2, 3)) @ model.weight.T / 64 + model.bias, atol=1e-5
    )


def test_a_coarse_last_layer_gives_no_exact_maps(uses_corner: SmallNet) -> None:
    class Coarse(OpenNet):
        def sides(self) -> Mapping[str, int]:
            return {"stem": 6, "stage": 3}

    maps = StageMaps.of(Coarse(uses_corner))
    assert maps.method == "HiResCAM"
    assert maps.exact(np.zeros((2, 32, 32, 3), np.uint8)) is None


def test_a_model_without_errors_has_checked_maps(uses_corner: SmallNet, inputs_of: SubjectOf) -> None:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    p = inputs.predictions
    right = replace(inputs, predictions=replace(p, labels=p.predicted))
    known = Evidence({"confusion_pairs": confusion_pairs_table(p.predicted, p.predicted, inputs.classes)})
    found = model_checks.examine_maps(right, model, Choice(StageMaps.of(model)), known, SMALL)
    assert set(found.evidence) == {"faithfulness"}
    assert [(r.check, "no confused pair" in r.reason) for r in found.refusals] == [("attribution", True)]


def test_what_there_is_no_time_for_is_listed(uses_corner: SmallNet, inputs_of: SubjectOf) -> None:
    model = OpenNet(uses_corner)
    found = look_inside(inputs_of(model), model, Evidence(), lambda _: SampleSizes(0, 0, 0, 0, 0))
    reasons = dict(found.evidence["not_examined"].frame.rows())
    assert reasons == dict.fromkeys(("degradation", "maps", "context"), NO_TIME)


def test_the_reason_that_a_plan_gives_is_listed(uses_corner: SmallNet, inputs_of: SubjectOf) -> None:
    model = OpenNet(uses_corner)
    none = SampleSizes(0, 0, 0, 0, 0, no_time={"maps": "It takes an hour."})
    found = look_inside(inputs_of(model), model, Evidence(), lambda _: none)
    assert dict(found.evidence["not_examined"].frame.rows())["maps"] == "It takes an hour."


def test_maps_for_which_there_is_time_only_later_are_made(
    uses_corner: SmallNet, inputs_of: SubjectOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked:
        """A network that can only be asked."""

        logits = staticmethod(uses_corner.logits)

    def no_masks(*_: object) -> None:
        raise DeepSightError("Expected two usable masks, received one.")

    asked: list[str] = []

    def sizes_at(step: str) -> SampleSizes:
        asked.append(step)
        return SampleSizes(0, 50, 0 if step in ("degradation", "choice") else 30, 0, 2)

    monkeypatch.setattr(model_checks, "examine_background", no_masks)
    inputs = inputs_of(OpenNet(uses_corner))
    p = inputs.predictions
    known = Evidence({"confusion_pairs": confusion_pairs_table(p.labels, p.predicted, inputs.classes)})
    found = look_inside(inputs, Asked(), known, sizes_at)
    assert asked == ["degradation", "choice", "context", "late choice", "maps"]
    assert {"faithfulness", "attribution"} <= set(found.evidence)
    assert "occlusion" in found.evidence["faithfulness"].caption


def test_what_was_not_possible_is_listed_and_the_rest_goes_on(
    uses_corner: SmallNet, inputs_of: SubjectOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Coarser(OpenNet):
        def sides(self) -> Mapping[str, int]:
            return {"stem": 2, "stage": 1}

    def no_masks(*_: object) -> None:
        raise DeepSightError("Expected two usable masks, received one.")

    monkeypatch.setattr(model_checks, "examine_background", no_masks)
    model = Coarser(uses_corner)
    found = look_inside(inputs_of(model), model, Evidence(), lambda _: SMALL)
    tables, pictures = found.evidence, found.pictures
    reasons = dict(tables["not_examined"].frame.rows())
    assert "at least 4 cells a side" in reasons["maps"]
    assert "two usable masks" in reasons["context"]
    assert pictures == {}
    assert set(tables) == {"degradation", "degradation_summary", "not_examined"}
