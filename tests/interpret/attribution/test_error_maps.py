"""Pictures and tables of the errors of a model that is known to look at a corner patch."""

from collections.abc import Callable

import cv2
import numpy as np
import polars as pl
import pytest
import torch

from conv_nets import SmallNet
from deepsight.core.errors import DeepSightError
from deepsight.core.evidence import Evidence
from deepsight.interpret.attribution import error_maps
from deepsight.interpret.attribution.cam import Layer
from deepsight.interpret.attribution.error_maps import map_errors
from deepsight.interpret.attribution.stage_maps import StageMaps, class_maps, map_method
from deepsight.interpret.error_analysis.confusion import confusion_pairs_table
from deepsight.interpret.inputs import ExaminationInputs
from open_nets import OpenNet

LAST, EARLIER = Layer("stage", 8, None), Layer("stem", 16, None)
SubjectOf = Callable[[OpenNet], ExaminationInputs]


def pairs_of(inputs: ExaminationInputs) -> Evidence:
    p = inputs.predictions
    return Evidence({"confusion_pairs": confusion_pairs_table(p.labels, p.predicted, inputs.classes)})


def test_the_picture_and_the_tables_of_each_error(uses_corner: SmallNet, inputs_of: SubjectOf) -> None:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    mapped = map_errors(inputs, StageMaps(model, LAST), pairs_of(inputs))
    found, pictures = mapped.evidence, mapped.pictures
    frame, values = found["attribution"].frame, found["attribution_maps"].frame
    assert set(pictures) == set(frame["file"])
    assert frame["kind"].unique().to_list() == ["closed form"]
    assert frame["mirror_agreement"].is_between(-1, 1).all()
    shown = cv2.imdecode(np.frombuffer(pictures[frame["file"][0]], dtype=np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape[1] == 4 * 128 + 3 * 4
    for row in frame.head(3).to_dicts():
        place = int(np.flatnonzero(inputs.predictions.ids == row["index"])[0])
        for name in (row["predicted"], row["true"]):
            logit = inputs.predictions.logits[place, inputs.classes.index(name)]
            cells = values.filter((values["index"] == row["index"]) & (values["class"] == name))["evidence"]
            assert cells.sum() + model.bias[inputs.classes.index(name)] == pytest.approx(logit, abs=1e-4)


def test_every_confused_pair_has_a_map_and_the_main_ones_masks(
    uses_corner: SmallNet, inputs_of: SubjectOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    pairs = pairs_of(inputs)
    confused = pairs["confusion_pairs"].frame.filter(pl.col("count") > 0)
    assert len(confused) > 2
    monkeypatch.setattr(error_maps, "MAIN_PAIRS", 1)
    frame = map_errors(inputs, StageMaps(model, LAST), pairs).evidence["attribution"].frame
    shown = frame.group_by("true", "predicted").len()
    assert set(shown.select("true", "predicted").rows()) == set(confused.select("true", "predicted").rows())
    main, others = frame.head(error_maps.OF_MAIN), frame.tail(-error_maps.OF_MAIN)
    assert main.select("true", "predicted").n_unique() == 1
    assert others["object_share"].null_count() == len(others) > 0
    assert shown.filter(pl.col("len") > error_maps.OF_OTHERS).height <= 1
    most = error_maps.OF_MAIN + 1
    assert (
        len(map_errors(inputs, StageMaps(model, LAST), pairs, most=most).evidence["attribution"].frame)
        == error_maps.OF_MAIN + 1
    )


def test_the_evidence_for_a_wrong_answer_is_on_the_patch_that_made_it(
    uses_corner: SmallNet, inputs_of: SubjectOf
) -> None:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    found = map_errors(inputs, StageMaps(model, LAST), pairs_of(inputs)).evidence
    values = found["attribution_maps"].frame
    means = []
    for row in found["attribution"].frame.to_dicts():
        one = values.filter(values["index"] == row["index"])
        maps = {n: one.filter(one["class"] == n) for n in (row["predicted"], row["true"])}
        contrast = maps[row["predicted"]]["evidence"] - maps[row["true"]]["evidence"]
        on_patch = (one.head(64)["row"] < 2) & (one.head(64)["column"] < 2)
        positive = contrast.clip(0)
        means.append(positive.filter(on_patch).sum() / positive.sum())
    assert np.mean(means) > 3 / 16  # the patch covers 1 / 16 of the image


def test_earlier_layers_are_made_by_gradients_of_the_tail(uses_corner: SmallNet) -> None:
    model = OpenNet(uses_corner)
    images = np.random.default_rng(0).integers(0, 256, size=(3, 32, 32, 3), dtype=np.uint8)
    assert map_method(model, EARLIER) == "HiResCAM"
    asked = np.array([[0, 3], [1, 1], [2, 0]])
    maps = class_maps(model, EARLIER, images, asked)
    leaf = model.stage_maps("stem", images).requires_grad_()
    logits = uses_corner.head(uses_corner.stage2(leaf).mean(dim=(2, 3)))
    for column in range(2):
        chosen = logits[torch.arange(3), torch.from_numpy(asked[:, column])].sum()
        (gradient,) = torch.autograd.grad(chosen, leaf, retain_graph=True)
        second = (gradient * leaf).sum(dim=1).detach().numpy()
        np.testing.assert_allclose(maps[:, column], second, atol=1e-5)


def test_maps_that_do_not_explain_the_logits_stop_the_run(uses_corner: SmallNet) -> None:
    class Shifted(OpenNet):
        @property
        def bias(self) -> np.ndarray:
            return self.net.head.bias.numpy() + 1

    with pytest.raises(DeepSightError, match="sum to the logits"):
        class_maps(Shifted(uses_corner), LAST, np.zeros((2, 32, 32, 3), np.uint8), np.array([[0], [1]]))


def test_a_model_without_errors_has_none_to_show(inputs_of: SubjectOf, uses_corner: SmallNet) -> None:
    model = OpenNet(uses_corner)
    inputs = inputs_of(model)
    right = ExaminationInputs(
        test=inputs.test.with_labels(inputs.predictions.predicted),
        predictions=inputs.predictions.__class__(
            inputs.predictions.ids, inputs.predictions.predicted, inputs.predictions.logits,
            inputs.predictions.features,
        ),
    )  # fmt: skip
    with pytest.raises(DeepSightError, match="no confused pair"):
        map_errors(right, StageMaps(model, LAST), pairs_of(inputs))
