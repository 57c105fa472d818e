"""The named pairs of a study: which images they get, and what is made of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from deepsight.core.dataset import Dataset
from deepsight.core.hypothesis import Group, Hypothesis
from deepsight.core.predictions import Predictions
from deepsight.interpret.background.grabcut import KnownMasks, Masks, segment_missing, segment_objects
from deepsight.interpret.background.named_pairs import (
    NamedPairs,
    hypothesised_pairs,
    named_pair_effects,
    sample_of_classes,
)
from deepsight.interpret.inputs import ExaminationInputs
from scenes import CLASSES, looks_at_corner, scenes

RED_BLUE = Hypothesis("red-blue", "x", "confused_pair", Group("red", ("red",)), Group("blue", ("blue",)))
WARM = Hypothesis("warm", "x", "recall_gap", Group("warm", ("red", "yellow")), Group("cold", ("blue",)))


@pytest.fixture(scope="module")
def inputs() -> ExaminationInputs:
    images, labels, _ = scenes(160)
    ids = np.arange(160)
    logits = looks_at_corner(images).astype(np.float32)
    predictions = Predictions(ids, labels, logits, np.empty((160, 0), np.float32))
    data = Dataset(images, labels, CLASSES, ids, "test")
    return ExaminationInputs(data, predictions, hypotheses=(WARM, RED_BLUE))


@pytest.mark.slow
def test_a_named_pair_is_tried_and_shown(inputs: ExaminationInputs) -> None:
    model = SimpleNamespace(logits=looks_at_corner)
    nothing = KnownMasks(np.empty(0, dtype=np.int64), Masks(np.empty((0, 128, 128), bool), np.empty(0, bool)))
    found = named_pair_effects(inputs, model, 40, nothing)  # type: ignore[arg-type]
    assert [effect.name for effect in found.effects] == ["red / blue"]
    assert found.effects[0].estimate.value > 0.8
    row = found.findings.evidence["context_pictures"].frame.row(0, named=True)
    assert set(found.findings.pictures) == {row["file"]}
    assert row["on_other"] > row["on_own"]


def test_without_a_named_pair_there_is_nothing(inputs: ExaminationInputs) -> None:
    alone = ExaminationInputs(inputs.test, inputs.predictions, hypotheses=(WARM,))
    nothing = KnownMasks(np.empty(0, dtype=np.int64), Masks(np.empty((0, 128, 128), bool), np.empty(0, bool)))
    model = SimpleNamespace(logits=looks_at_corner)
    assert named_pair_effects(alone, model, 40, nothing) == NamedPairs()  # type: ignore[arg-type]


def test_only_pairs_of_single_classes_are_pairs(inputs: ExaminationInputs) -> None:
    assert hypothesised_pairs(inputs) == [(0, 2)]


def test_rows_are_of_the_classes_and_begin_with_the_sample_of_the_swap_test() -> None:
    labels = (np.arange(400) % 4).astype(np.int64)
    few, many = (sample_of_classes(labels, [0, 2], count, seed=3) for count in (10, 20))
    assert set(labels[many]) == {0, 2}
    assert set(few) < set(many)
    assert len(few) == 2 * 15
    sample = np.random.default_rng(3).permutation(400)[:40]
    assert set(sample[np.isin(labels[sample], [0, 2])]) <= set(many)


@pytest.mark.slow
def test_known_masks_are_taken_over_and_the_others_cut() -> None:
    images, _, _ = scenes(8, aligned=0.0)
    rows = np.array([3, 5, 8, 9, 11, 20, 21, 30])
    fresh = segment_objects(images)
    marked = Masks(~fresh.inside[[1, 4]], np.array([False, False]))
    found = segment_missing(images, rows, KnownMasks(np.array([5, 7, 11]), marked_with_gap(marked)), seed=0)
    assert np.array_equal(found.inside[[1, 4]], marked.inside)
    assert not found.accepted[[1, 4]].any()
    others = [0, 2, 3, 5, 6, 7]
    assert np.array_equal(found.inside[others], fresh.inside[others])
    assert np.array_equal(found.accepted[others], fresh.accepted[others])


def marked_with_gap(masks: Masks) -> Masks:
    """Two masks with one between them that nobody asks for."""
    return masks.select(np.array([0, 0, 1]))
