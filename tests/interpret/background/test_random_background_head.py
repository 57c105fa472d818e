"""The zero of the swap test: a head on the model's own features that has no use for backgrounds."""

import numpy as np

from deepsight.interpret.background.effects import background_gaps
from deepsight.interpret.background.random_background_head import PooledModel, fold_of_objects, zero_control
from deepsight.interpret.background.swap_design import make_swap_design


def features_of(rng: np.random.Generator, chosen: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """The first four features say the object's class, the next four the background's, both with noise."""
    said = np.concatenate([np.eye(4)[chosen], np.eye(4)[donors]], axis=1)
    return (said + 0.2 * rng.normal(size=said.shape)).astype(np.float32)


def test_a_head_on_random_backgrounds_has_no_gap_where_the_model_has_one() -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(120) % 4).astype(np.int64)
    chosen = make_swap_design(labels, np.ones(120, dtype=bool), objects=120, donors=4, seed=0)
    features = features_of(rng, labels[chosen.subject], labels[chosen.donor])
    biased = PooledModel(lambda images: features, np.hstack([np.eye(4), 2 * np.eye(4)]), np.zeros(4))
    right = biased.answers(features) == labels[chosen.subject]
    gap = background_gaps(right, chosen, labels, test="", note="")[0].estimate.value
    zero = zero_control(features, chosen, labels)
    _, low, high = zero.estimate.interval()
    assert gap > 0.5
    assert low < 0.03
    assert high < 0.1
    assert "right on 9" in zero.note or "right on 100%" in zero.note


def test_features_without_the_object_leave_the_zero_no_way_out() -> None:
    """Where the features hold nothing but the background, random backgrounds leave the head at chance."""
    rng = np.random.default_rng(1)
    labels = (np.arange(80) % 4).astype(np.int64)
    chosen = make_swap_design(labels, np.ones(80, dtype=bool), objects=80, donors=4, seed=0)
    features = features_of(rng, np.zeros(len(chosen), dtype=int), labels[chosen.donor])
    assert zero_control(features, chosen, labels).estimate.interval().low < 0.05


def test_an_object_is_in_one_fold_and_classes_are_in_both() -> None:
    labels = (np.arange(40) % 4).astype(np.int64)
    subject = np.repeat(np.arange(40), 3)
    fold = fold_of_objects(subject, labels)
    assert (fold.reshape(40, 3) == fold.reshape(40, 3)[:, :1]).all()
    assert np.bincount(labels[subject][fold == 0]).tolist() == [15] * 4


def test_a_model_without_a_linear_head_has_no_zero() -> None:
    assert PooledModel.of(object()) is None
