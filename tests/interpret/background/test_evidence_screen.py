"""The cheap screen against scikit-learn, and on a model where it must foretell the swaps."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepsight.interpret.background.evidence_screen import auroc, margin_against, objects_lost_in_swaps
from deepsight.interpret.background.mask_quality import MaskQuality
from deepsight.interpret.background.swap_design import SwapDesign
from deepsight.interpret.background.swap_test import swap_test
from scenes import CLASSES, looks_at_corner, looks_at_object, scenes


def test_auroc_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(300) < 0.3
    score = np.round(rng.normal(size=300) + positive, 1)  # with ties
    found = auroc(score, positive)
    assert found.value + 0.5 == pytest.approx(roc_auc_score(positive, score))
    assert 0.02 < found.error < 0.05


def test_doubt_is_above_zero_where_the_answer_is_wrong() -> None:
    logits = np.random.default_rng(1).normal(size=(50, 4))
    labels = np.random.default_rng(2).integers(4, size=50)
    assert np.array_equal(margin_against(logits, labels) > 0, logits.argmax(axis=1) != labels)


def test_lost_objects_counts_other_backgrounds_only() -> None:
    labels = np.array([0, 0, 1, 1])
    chosen = SwapDesign(np.array([0, 0, 0, 2, 2, 2]), np.array([1, 2, 3, 3, 0, 1]))
    right = np.array([False, True, True, True, False, False])
    objects, lost = objects_lost_in_swaps(right, chosen, labels)
    assert objects.tolist() == [0, 2]
    assert lost.tolist() == [False, True]


@pytest.mark.slow
def test_screen_foretells_which_objects_are_lost() -> None:
    images, labels, masks = scenes(200)
    reads_corner = np.arange(200) % 2 == 0
    images[:, -1, -1] = np.where(reads_corner, 255, 0)[:, None]  # a mark that stays with the object's mask
    inside = masks.inside.copy()
    inside[:, -4:, -4:] = True

    def predict(x: np.ndarray) -> np.ndarray:
        marked = x[:, -1, -1, 0] > 127
        return np.where(marked[:, None], looks_at_corner(x), looks_at_object(x))

    alone = np.where(reads_corner[:, None], np.zeros((200, 4)), looks_at_object(images))
    table = swap_test(
        images, labels, type(masks)(inside, masks.accepted), predict, classes=CLASSES, alone=alone,
        quality=MaskQuality(1.0, 1.0, 0.0, 9), objects=200,
    )  # fmt: skip
    found = table.frame.filter(test="screen").row(0, named=True)
    assert found["effect"] > 0.45
    assert found["verdict"] == "above chance"
