"""Planted clusters are found with full support; without structure none is stable."""

import numpy as np
import pytest

from deepsight.interpret.error_analysis.confusion_clusters import (
    class_tree,
    confusion_clusters_table,
    symmetric_rates,
)

CLASSES = ("ant", "bee", "cow", "dog", "eel", "fox")


def blocks(seed: int, within: float = 0.3, n: int = 2400) -> tuple[np.ndarray, np.ndarray]:
    """Each class is often taken for the other of its pair (0, 1), (2, 3), (4, 5), seldom for any other."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(6, size=n)
    chance, anyone = rng.random(n), rng.integers(6, size=n)
    return labels, np.where(chance < within, labels ^ 1, np.where(chance < within + 0.1, anyone, labels))


def test_planted_pairs_are_stable_clusters() -> None:
    table = confusion_clusters_table(
        *blocks(0), CLASSES, {"ant": "insect", "bee": "insect"}, draws=100, seed=0
    )
    stable = table.frame.filter("stable")
    assert set(stable["cluster"]) == {"ant + bee (insect)", "cow + dog", "eel + fox"}
    assert stable["support"].min() == 1
    assert stable["affinity"].to_numpy() == pytest.approx([0.32] * 3, abs=0.04)


def test_without_structure_nothing_is_stable() -> None:
    table = confusion_clusters_table(*blocks(1, within=0.0), CLASSES, {}, draws=100, seed=0)
    assert not table.frame["stable"].any()


def test_affinity_is_the_mean_of_both_directions() -> None:
    counts = np.array([[8, 2, 0], [4, 6, 0], [0, 0, 10]])
    affinity = symmetric_rates(counts)
    assert affinity[0, 1] == affinity[1, 0] == pytest.approx(0.3)
    assert (np.diag(affinity) == 0).all()
    assert class_tree(affinity) == [frozenset({0, 1})]


def test_a_class_without_images_does_not_break_the_tree() -> None:
    labels, predicted = blocks(2)
    chosen = labels != 4
    table = confusion_clusters_table(labels[chosen], predicted[chosen], CLASSES, {}, draws=20, seed=0)
    assert len(table.frame) == 4
