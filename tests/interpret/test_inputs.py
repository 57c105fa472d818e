"""The subject: what each split brings to the study of its labels, and what can be seen of its images."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.predictions import Predictions
from deepsight.interpret.error_ledger import label_detectors, quality_risk
from deepsight.interpret.examine import examine_inputs, labels_of, slices_of
from deepsight.interpret.inputs import ExaminationInputs
from deepsight.interpret.labels import label_sources
from deepsight.interpret.labels.label_sources import ExaminedSplit
from deepsight.interpret.robustness import image_quality
from deepsight.interpret.slices.image_properties import measured_properties
from deepsight.interpret.slices.training_distance import training_distance

RNG = np.random.default_rng(0)
N, CLASSES = 120, ("a", "b", "c")
LABELS = np.arange(N) % 3


def images(seed: int) -> Dataset:
    pixels = np.random.default_rng(seed).integers(256, size=(N, 8, 8, 3), dtype=np.uint8)
    return Dataset(pixels, LABELS, CLASSES, np.arange(N), "test")


def answers(seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=(N, 3)) + np.eye(3)[LABELS]).astype(np.float32)
    return Predictions(np.arange(N), LABELS, logits, rng.normal(size=(N, 4)).astype(np.float32))


FROZEN = RNG.normal(size=(N, 6)).astype(np.float32)
TRAIN = ExaminedSplit(np.arange(60), LABELS[:60], None, RNG.normal(size=(60, 6)).astype(np.float32), "frozen")
BARE = ExaminationInputs(images(0), answers(0))
FULL = ExaminationInputs(
    images(0), answers(0), validation=answers(1), train=TRAIN, others={"val": images(1)},
    more={"frozen": FROZEN},
)  # fmt: skip


def test_only_the_test_images_bring_the_features_of_the_other_network() -> None:
    parts = FULL.label_parts()
    assert list(parts) == ["train", "val", "test"]
    assert list(parts["test"].spaces()) == ["model", "frozen"]
    assert list(parts["val"].spaces()) == ["model"]
    assert np.array_equal(parts["test"].more["frozen"], FROZEN)


def test_images_bring_their_groups_into_the_study_of_labels() -> None:
    groups, others = np.arange(N) // 4, {"val": replace(images(1), groups=np.arange(N) // 2)}
    grouped = replace(
        FULL, test=replace(FULL.test, groups=groups), others=others, train=replace(TRAIN, groups=groups[:60])
    )
    parts = grouped.label_parts()
    assert np.array_equal(parts["test"].groups, groups)  # type: ignore[arg-type]
    assert np.array_equal(parts["val"].groups, np.arange(N) // 2)  # type: ignore[arg-type]
    assert np.array_equal(parts["train"].groups, groups[:60])  # type: ignore[arg-type]
    assert all(part.groups is None for part in FULL.label_parts().values())
    assert replace(grouped, others={}).label_parts()["val"].groups is None


def test_the_distance_to_the_training_images_is_a_property_where_one_network_saw_both() -> None:
    assert FULL.properties.columns == [*BARE.properties.columns, "training_distance"]
    assert TRAIN.features is not None
    expected = training_distance(FROZEN, TRAIN.features)
    assert FULL.properties["training_distance"].to_numpy() == pytest.approx(expected)
    elsewhere = replace(FULL, more={"another": FROZEN})
    assert "training_distance" not in elsewhere.properties.columns


def test_the_risk_is_learnt_from_validation_and_else_from_the_test_images() -> None:
    p, measured = FULL.validation, measured_properties(FULL.others["val"].images)
    assert p is not None
    expected = image_quality.fit_quality_risk(measured, p.labels, p.labels != p.predicted, 3)
    assert quality_risk(FULL).centre == pytest.approx(expected.centre)
    q = BARE.predictions
    own = image_quality.fit_quality_risk(BARE.properties, q.labels, q.labels != q.predicted, 3)
    assert quality_risk(BARE).centre == pytest.approx(own.centre)


def test_slices_come_with_what_quality_does() -> None:
    assert list(slices_of(FULL, quality_risk(FULL))) == ["slices", "image_quality"]


def test_one_risk_serves_the_table_and_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[image_quality.QualityRisk] = []

    def noted(*arguments: Any) -> image_quality.QualityRisk:
        fitted.append(replace(fit(*arguments), slope=np.full(len(image_quality.QUALITY_FAULTS), 3.0)))
        return fitted[-1]

    fit = image_quality.fit_quality_risk
    monkeypatch.setattr(image_quality, "fit_quality_risk", noted)
    found = examine_inputs(BARE).evidence
    assert len(fitted) == 1
    assert found["image_quality"].frame["odds_ratio"].to_list() == pytest.approx([np.exp(3)] * 5)
    assert found["ledger"].frame.filter(cause="degraded image").height > 0


@pytest.mark.slow
def test_labels_of_a_sample_say_so_and_accuse_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_sources, "MOST_CELLS", 90)
    found = labels_of(BARE)
    assert found["label_errors"].n == found["ambiguity"].n == 30
    for name in ("label_errors", "label_error_summary", "ambiguity", "corrected_score"):
        assert "Only 30 of 120 test images, chosen at random, were examined" in found[name].caption
    heard = label_detectors(found, "test", BARE.test.ids)
    unseen = ~np.isin(BARE.test.ids, found["ambiguity"].frame["index"])
    assert heard.ambiguity is not None
    assert (heard.ambiguity[unseen] == 0).all()
    assert (heard.ambiguity[~unseen] > 0).any()
