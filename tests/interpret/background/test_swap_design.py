"""Who goes on which background."""

import numpy as np
import pytest

from deepsight.core.errors import DeepSightError
from deepsight.interpret.background.composites import cut_out
from deepsight.interpret.background.swap_design import make_swap_design, predict_composites
from scenes import looks_at_corner, scenes


@pytest.fixture
def labels() -> np.ndarray:
    return (np.arange(120) % 4).astype(np.int64)


def test_every_object_has_donors_of_both_kinds_and_never_itself(labels: np.ndarray) -> None:
    usable = np.arange(120) % 5 != 0
    chosen = make_swap_design(labels, usable, objects=40, donors=3, seed=0)
    own = labels[chosen.subject] == labels[chosen.donor]
    assert (chosen.subject != chosen.donor).all()
    assert usable[chosen.subject].all()
    assert usable[chosen.donor].all()
    for kind in (own, ~own):
        objects, counts = np.unique(chosen.subject[kind], return_counts=True)
        assert len(objects) == 40
        assert (counts == 3).all()
    pairs = np.stack([chosen.subject, chosen.donor])
    assert np.unique(pairs, axis=1).shape[1] == len(chosen)
    assert np.bincount(labels[np.unique(chosen.subject)]).tolist() == [10] * 4


def test_seed_alone_decides(labels: np.ndarray) -> None:
    usable = np.ones(120, dtype=bool)
    a, b, c = (make_swap_design(labels, usable, objects=40, donors=3, seed=s) for s in (1, 1, 2))
    assert np.array_equal(a.donor, b.donor)
    assert not np.array_equal(a.donor, c.donor)


def test_first_of_each_is_one_of_both_kinds(labels: np.ndarray) -> None:
    few = make_swap_design(labels, np.ones(120, dtype=bool), objects=40, donors=5, seed=0).first_of_each(
        labels
    )
    own = labels[few.subject] == labels[few.donor]
    assert len(few) == 80
    assert np.unique(few.subject[own]).size == np.unique(few.subject[~own]).size == 40


def test_a_class_without_masks_takes_no_part(labels: np.ndarray) -> None:
    chosen = make_swap_design(labels, labels != 2, objects=40, donors=3, seed=0)
    assert 2 not in labels[chosen.subject]
    assert 2 not in labels[chosen.donor]
    with pytest.raises(DeepSightError, match="2: 0"):
        make_swap_design(labels, labels == 1, objects=40, donors=3, seed=0)


def test_run_answers_in_the_order_of_the_design() -> None:
    images, labels, masks = scenes(60)
    chosen = make_swap_design(labels, masks.accepted, objects=60, donors=10, seed=0)
    answers = predict_composites(cut_out(images, masks), chosen, looks_at_corner)
    assert np.array_equal(answers, labels[chosen.donor])
