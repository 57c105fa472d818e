"""Two classes on each other's backgrounds, for models whose reliance is known."""

import numpy as np
import pytest

from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.pair_swap import pair_design, pair_swap
from scenes import CLASSES, looks_at_corner, looks_at_object, scenes


def test_two_classes_are_crossed_and_no_object_is_its_own_donor() -> None:
    labels = (np.arange(120) % 4).astype(np.int64)
    usable = np.arange(120) % 5 != 0
    chosen = pair_design(labels, usable, (1, 3), objects=10, donors=4, seed=0)
    assert usable[chosen.subject].all()
    assert usable[chosen.donor].all()
    assert (chosen.subject != chosen.donor).all()
    crossed, counts = np.unique(labels[chosen.subject] * 10 + labels[chosen.donor], return_counts=True)
    assert crossed.tolist() == [11, 13, 31, 33]
    assert counts.tolist() == [40] * 4


@pytest.mark.parametrize(("predict", "effect"), [(looks_at_corner, 1.0), (looks_at_object, 0.0)])
def test_the_pull_is_that_of_the_model(predict: object, effect: float) -> None:
    images, labels, masks = scenes(80)
    found = pair_swap(
        cut_out(images, masks), labels, masks.accepted, predict,  # type: ignore[arg-type]
        pair=(0, 2), classes=CLASSES, objects=20, donors=2, seed=1,
    )  # fmt: skip
    assert found is not None
    assert found.effect.estimate.value == pytest.approx(effect)
    assert found.effect.name == "red / blue"
    assert len(found.answers) == len(found.chosen) == 2 * 20 * 4


def test_without_two_masks_of_a_class_there_is_no_pair() -> None:
    images, labels, masks = scenes(40)
    usable = masks.accepted & ((labels != 2) | (np.arange(40) < 4))
    dials = {"pair": (0, 2), "classes": CLASSES, "objects": 5, "donors": 2, "seed": 0}
    parts = cut_out(images, masks)
    assert pair_swap(parts, labels, usable, looks_at_object, **dials) is None  # type: ignore[arg-type]
