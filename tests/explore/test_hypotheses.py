"""CIFAR-10 has its stated hypotheses; other data get pairs proposed from features."""

import numpy as np

from deepsight.core.hypothesis import class_groups
from deepsight.explore import hypotheses

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
NONE = np.zeros((0, 4)), np.zeros(0, dtype=np.int64)


def test_cifar10_has_the_four_of_the_design() -> None:
    found = hypotheses.register_hypotheses(CIFAR10, *NONE)
    assert [h.name for h in found] == ["rigid-over-organic", "automobile-truck", "cat-dog", "airplane-bird"]
    assert all(h.origin == "stated" for h in found)
    for hypothesis in found:
        hypothesis.require_classes(CIFAR10)
    groups = class_groups(found)
    assert sorted(groups) == sorted(CIFAR10)
    assert sum(group == "rigid" for group in groups.values()) == 4


def test_the_planted_alike_pair_is_proposed_first() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(5, 30) * 5
    centres[4] = centres[1] + 1.0 * np.eye(5, 30)[2]
    labels = rng.integers(5, size=500)
    features = centres[labels] + rng.normal(size=(500, 30))
    found = hypotheses.register_hypotheses(tuple("abcde"), features, labels, proposals=2)
    assert found[0].name == "b-e"
    assert len(found) == 2
    assert all(h.origin == "proposed" and h.test == "confused_pair" for h in found)


def test_no_more_pairs_are_proposed_than_there_are() -> None:
    labels = np.array([0, 1, 0, 1])
    assert len(hypotheses.register_hypotheses(("x", "y"), np.eye(4), labels, proposals=9)) == 1


def test_a_class_without_images_is_never_proposed() -> None:
    features = np.random.default_rng(0).normal(size=(20, 8))
    labels = np.array([0, 1] * 10)
    found = hypotheses.register_hypotheses(("a", "b", "absent"), features, labels)
    assert [h.name for h in found] == ["a-b"]
